"""The pytest plug-in: a fixture `assert_marbles`, and `--update-marbles`.

Every pytest that runs where voice-node is installed loads this file: what is heavy waits for the fixture's first use.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

OPTION = "--update-marbles"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-marbles`."""
    group = parser.getgroup("voice_node", "voice-node")
    group.addoption(OPTION, action="store_true", help="Write the marbles that tests expect instead of comparing them.")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say so, because such a run proves nothing."""
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
