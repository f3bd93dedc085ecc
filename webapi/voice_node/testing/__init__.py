"""Tests with marbles, for packages that build on the node: a recording through a graph gives the expected marbles."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from webapi.voice_node.config import pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.recording.call_file import is_call
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.marble_diff import difference, read_marbles, write_marbles
from webapi.voice_node.replay.marbles import render
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.wav_replay import replay

AnyGraph: TypeAlias = str | Path | GraphSpec


def assert_marbles(
    graph: AnyGraph, wav: str | Path, expected: str | Path, *, update: bool = False, **settings: object
) -> None:
    """Replay a recording; raise AssertionError, with both marble diagrams, where the marbles are not as expected.

    `graph`: a name, a path, or a loaded graph. `wav`: a recording, or the folder of a recorded call, which has its own
    settings and its own graph, with this name. `expected`: the path of a marbles.txt, or the text itself, of more than
    one line; its indent and blank lines around it are ignored.
    `settings`: the node's environment variables, in lower case: `mock_reply="tone:3"`, `orchestrator="module:Class"`.
    All others have their defaults: neither the environment nor a `.env` is read, so the test is the same everywhere.
    `update`: write the file instead of comparing. Raises UserError for a wrong graph, recording or setting.
    """
    __tracebackhide__ = True  # of this function, pytest shows the message and not the code
    wrong = compare(graph, wav, expected, settings, update=update, how="assert_marbles(…, update=True), once,")
    if wrong:
        raise AssertionError(wrong)


def compare(
    graph: AnyGraph,
    wav: str | Path,
    expected: str | Path,
    settings: Mapping[str, object],
    *,
    update: bool,
    how: str,
) -> str:
    """Return what differs from the expected marbles, for people; "" where nothing does. `how`: what writes them.

    The other arguments and errors are those of `assert_marbles`.
    """
    got = render(_replayed(graph, Path(wav), settings))
    title = f"{wav} through the graph {graph.name if isinstance(graph, GraphSpec) else graph}"
    if isinstance(expected, str) and "\n" in expected:
        found = difference(_without_indent(expected), _without_indent(got))
        if found and update:
            return f"{title} gives this; a text in a test is not written by itself:\n\n{got}"
        return found and f"{title}: not as the test says\n{found}\n{how} shows the whole text"
    file = Path(expected)
    written = read_marbles(file)
    if update:
        write_marbles(file, got)
        return ""
    if not written:
        return f"{title}: there is no {file} yet\n{how} writes it"
    found = difference(written, got)
    return found and f"{title}: not as {file} says\n{found}\nWhere this is right now, {how} writes it"


def _replayed(graph: AnyGraph, wav: Path, given: Mapping[str, object]) -> ReplayResult:
    if is_call(wav):
        replayed = replay_call(wav)
        name = graph.name if isinstance(graph, GraphSpec) else Path(graph).stem
        if given or name != replayed.graph:
            raise UserError(
                f"{wav}: a recorded call is replayed with its own settings and its own graph, {replayed.graph!r}. "
                f"For others, replay its audio alone: {wav / 'caller.wav'}"
            )
        return replayed
    settings = pinned_settings(**{n: str(v) if isinstance(v, Path) else v for n, v in given.items()})
    return replay(wav, graph if isinstance(graph, GraphSpec) else load_graph(str(graph), settings), settings)


def _without_indent(text: str) -> str:
    lines = [line.rstrip() for line in textwrap.dedent(text).splitlines()]
    return "\n".join(lines).strip("\n") + "\n"
