"""Reads one graph file: a GraphSpec, or a UserError with a line (file:line:column) for every mistake in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webapi.voice_node.config import Settings
from webapi.voice_node.graph.call_arguments import with_call_arguments
from webapi.voice_node.graph.draft import GraphDraft, StreamDraft, is_known, read_draft
from webapi.voice_node.graph.problem_list import Problems
from webapi.voice_node.graph.spec import INPUTS, OUTPUTS, GraphSpec, StreamSpec
from webapi.voice_node.graph.step_reader import StepReader
from webapi.voice_node.graph.variable_names import hide_variables
from webapi.voice_node.graph.waits import check_waits
from webapi.voice_node.graph.yaml_parser import Marked, parse
from webapi.voice_node.operators.kinds import Kind

CALL = "the call's metadata"  # in place of a file, in errors


def read_graph(
    text: str,
    path: Path,
    settings: Settings,
    *,
    recorded: bool = False,
    given: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    name: str | None = None,
) -> GraphSpec:
    """The graph in `text`; `path` is the file in errors, and gives its name, if `name` does not.

    `recorded`: a recording answers in it, so its orchestrator need not be installed. `given`: arguments of one call,
    over those under `reply: with`. `folder`: where its sounds and models lie, if not beside `path`. Raises UserError.
    """
    problems = Problems()
    folder = path.parent if folder is None else folder
    document = parse(hide_variables(text), str(path))
    draft = read_draft(with_call_arguments(document, given, CALL) if given else document, problems)
    reader = _StreamReader(draft, problems)
    steps = StepReader(settings, problems, reader.kind_of, folder=folder, recorded=recorded)
    streams = reader.read(steps)
    _check_outputs(draft, streams, problems)
    _check_unused(draft, problems)
    if not recorded:  # it costs a replay nothing that an answer was of no use in the call
        check_waits(streams, problems)
    problems.raise_any()
    outputs = {port: tuple(str(name.value) for name in names) for port, names in draft.outputs.items()}
    return GraphSpec(path.stem if name is None else name, path, tuple(streams.values()), outputs, text, folder)


class _StreamReader:
    """Checks the streams of a draft, each after those that it reads.

    A stream with a mistake is left out of the result, and so is every stream that reads it.
    """

    def __init__(self, draft: GraphDraft, problems: Problems) -> None:
        self._draft = draft
        self._problems = problems
        self._done: dict[str, StreamSpec] = {}
        self._seen: set[str] = set()

    def read(self, steps: StepReader) -> dict[str, StreamSpec]:
        """The streams by name, sources first."""
        for stream in self._draft.streams.values():
            self._visit(stream, (), steps)
        return self._done

    def kind_of(self, name: Marked) -> Kind | None:
        """What the stream carries; None where that is not known, for a reason that `problems` has."""
        if not is_known(name, self._draft.streams, self._problems):
            return None
        return _kind_of(str(name.value), self._done)

    def _visit(self, stream: StreamDraft, path: tuple[str, ...], steps: StepReader) -> None:
        """Read what `stream` reads, then `stream`. `path`: the streams on the way here."""
        if stream.name in path:
            cycle = " → ".join((*path[path.index(stream.name) :], stream.name))
            self._problems.add(stream.place, f"a cycle: {cycle}. Only the port `playback` may lead back")
            return
        if stream.name in self._seen:
            return
        for read in stream.reads():
            source = self._draft.streams.get(read.value) if isinstance(read.value, str) else None
            if source:
                self._visit(source, (*path, stream.name), steps)
        if stream.name not in self._seen:
            self._seen.add(stream.name)
            spec = self._stream(stream, steps)
            if spec:
                self._done[stream.name] = spec

    def _stream(self, stream: StreamDraft, reader: StepReader) -> StreamSpec | None:
        kinds = [self.kind_of(source) for source in stream.sources]
        kind = kinds[0] if kinds else None
        for source, other in zip(stream.sources[1:], kinds[1:], strict=True):
            if kind and other and other != kind:
                first = stream.sources[0].value
                self._problems.add(
                    source.place, f"{source.value!r} carries {other}, {first!r} {kind}: only alike streams merge"
                )
        steps = []
        for step in stream.steps:
            spec = reader.read(step, kind)
            kind = spec.gives if spec else None
            if spec:
                steps.append(spec)
        if kind is None or None in kinds or len(steps) < len(stream.steps):
            return None
        return StreamSpec(stream.name, tuple(str(source.value) for source in stream.sources), tuple(steps), kind)


def _kind_of(name: str, streams: Mapping[str, StreamSpec]) -> Kind | None:
    if name in INPUTS:
        return INPUTS[name]
    return streams[name].gives if name in streams else None


def _check_outputs(draft: GraphDraft, streams: Mapping[str, StreamSpec], problems: Problems) -> None:
    """Each output port takes what its streams carry."""
    for port, names in draft.outputs.items():
        takes = OUTPUTS[port]
        for name in names:
            kind = _kind_of(str(name.value), streams)
            if kind and not any(kind.name == fit.name and fit.rate in (None, kind.rate) for fit in takes):
                ports = " or ".join(map(str, takes))
                problems.add(name.place, f"{port}: {name.value!r} carries {kind}; this port takes {ports}")


def _check_unused(draft: GraphDraft, problems: Problems) -> None:
    """Every stream is read by another one or by an output."""
    used = {read.value for stream in draft.streams.values() for read in stream.reads() if isinstance(read.value, str)}
    used |= {name.value for names in draft.outputs.values() for name in names}
    for stream in draft.streams.values():
        if stream.name not in used:
            problems.add(stream.place, f"stream {stream.name!r} is never used: bind it to an output or delete it")
