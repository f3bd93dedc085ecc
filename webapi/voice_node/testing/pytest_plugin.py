"""The pytest plug-in: the fixture `assert_marbles`, and the option `--update-marbles`.

Every pytest loads this file where voice-node is installed, as the module `voice_node_pytest`: so it imports nothing of
ours until the fixture is used. A project may have a package `webapi` of its own. Its tests must run all the same, and
find their own package.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from webapi.voice_node.testing import AnyGraph

OPTION = "--update-marbles"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    group = parser.getgroup("voice_node", "voice-node")
    with contextlib.suppress(ValueError):  # it is there: the plug-in was named by `-p` too
        group.addoption(
            OPTION, action="store_true", help="Write the marbles that tests expect instead of comparing them."
        )


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return a line where expected marbles are written (such a run tests nothing), and where voice-node is hidden."""
    said = ["voice-node: expected marbles are written, not compared"] if config.getoption(OPTION) else []
    hidden = _hidden_by()
    return [*said, f"voice-node: {hidden}"] if hidden else said


@pytest.fixture
def assert_marbles(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`assert_marbles(graph, wav, expected, **settings)`: see webapi.voice_node.testing, whose function it is."""
    how = f"pytest {OPTION} {shlex.quote(request.node.nodeid)}"

    def check(graph: AnyGraph, wav: str, expected: str, **settings: object) -> None:
        __tracebackhide__ = True
        hidden = _hidden_by()
        if hidden:
            pytest.fail(hidden, pytrace=False)
        from webapi.voice_node.errors import UserError
        from webapi.voice_node.testing import compare

        try:
            wrong = compare(graph, wav, expected, settings, update=bool(request.config.getoption(OPTION)), how=how)
        except UserError as error:
            wrong = str(error)
        if wrong:
            pytest.fail(wrong, pytrace=False)

    return check


def _hidden_by() -> str:
    """What keeps `webapi.voice_node` from being imported, or "". Imports nothing."""
    try:
        found = find_spec("webapi")
    except ValueError:  # a module without a spec
        found = None
    places = [Path(place) for place in (found and found.submodule_search_locations) or ()]
    if any((place / "voice_node" / "testing" / "__init__.py").is_file() for place in places):
        return ""
    where = str(places[0]) if places else "no folder"
    return f"assert_marbles is not available, because another package 'webapi' ({where}) hides that of voice-node"
