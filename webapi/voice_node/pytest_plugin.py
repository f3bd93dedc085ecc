"""The pytest plug-in: the fixture `assert_marbles`, and the option `--update-marbles`.

Every pytest loads this file where voice-node is installed, so slow imports wait for the first use of the fixture.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

OPTION = "--update-marbles"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    group = parser.getgroup("voice_node", "voice-node")
    group.addoption(OPTION, action="store_true", help="Write the marbles that tests expect instead of comparing them.")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return a line that says so where expected marbles are written: such a run tests nothing."""
    return ["voice-node: expected marbles are written, not compared"] if config.getoption(OPTION) else []


@pytest.fixture
def assert_marbles(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`assert_marbles(graph, wav, expected, **settings)`: see webapi.voice_node.testing, whose function it is."""
    from webapi.voice_node.errors import UserError
    from webapi.voice_node.testing import AnyGraph, compare

    how = f"pytest {OPTION} {shlex.quote(request.node.nodeid)}"

    def check(graph: AnyGraph, wav: str, expected: str, **settings: object) -> None:
        __tracebackhide__ = True
        try:
            wrong = compare(graph, wav, expected, settings, update=bool(request.config.getoption(OPTION)), how=how)
        except UserError as error:
            wrong = str(error)
        if wrong:
            pytest.fail(wrong, pytrace=False)

    return check
