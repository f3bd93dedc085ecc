"""Marbles as tests, for whoever builds on the node: a recording through a graph gives what is written down."""

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
    """AssertionError, with the two marble diagrams one under the other, unless they are the same.

    `graph`: a name, a path, or a graph that was loaded. `wav`: a recording; or the folder of a recorded call, which
    brings its own graph, of this name, and its own settings. `expected`: the path of a marbles.txt, or (of more than
    one line) the text itself, where an indent of the whole and blank lines around it don't count.
    `settings`: as in `.env.example`, in lower case: `mock_reply="tone:3"`, `orchestrator="package.module:Class"`.
    All others have their defaults: neither the environment nor a `.env` is read, so the test says the same everywhere.
    `update`: write the file instead of comparing with it. UserError for a graph, recording or setting that is wrong.
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
    """ "" where the marbles are as expected; else what is different. `how`: what writes them, for people."""
    got = render(_replayed(graph, Path(wav), settings))
    title = f"{wav} through the graph {graph.name if isinstance(graph, GraphSpec) else graph}"
    if isinstance(expected, str) and "\n" in expected:
        found = difference(_bare(expected), _bare(got))
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


def _bare(text: str) -> str:
    lines = [line.rstrip() for line in textwrap.dedent(text).splitlines()]
    return "\n".join(lines).strip("\n") + "\n"
