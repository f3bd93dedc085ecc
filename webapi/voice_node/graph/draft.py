"""A graph file as it is written: streams, operators and outputs by name, before operators and kinds are checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.graph.problem_list import Problems
from webapi.voice_node.graph.spec import INPUTS, OUTPUTS, VERSION
from webapi.voice_node.graph.yaml_parser import Marked, Place
from webapi.voice_node.operators import TABLE

MAX_PARTS = 200  # streams and operators: each may call the next one, and Python's stack is limited
STREAM_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass
class StreamDraft:
    """A stream as it is written."""

    name: str
    place: Place
    sources: list[Marked]
    steps: list[Marked]

    def reads(self) -> Iterator[Marked]:
        """Every stream name in it: its sources, and the arguments of its operators that name streams."""
        yield from self.sources
        for step in self.steps:
            for name, arguments in step.pairs[:1]:
                operator = TABLE.get(str(name.value))
                for key, value in arguments.pairs:
                    if operator and key.value in operator.streams:
                        yield value


@dataclass
class GraphDraft:
    """A graph as it is written: its streams by name, and the streams that each output port reads."""

    streams: dict[str, StreamDraft]
    outputs: dict[str, list[Marked]]


def read_draft(root: Marked, problems: Problems) -> GraphDraft:
    """The draft in a parsed file; `problems` gets the mistakes. UserError for a graph of more than MAX_PARTS parts."""
    top = problems.read_map(root, "a graph", required=("version", "streams", "outputs"))
    version = top.get("version")
    if version and version.value != VERSION:
        problems.add(version.place, f"version {version.value!r}; this program reads version {VERSION}")
    streams = {stream.name: stream for stream in _streams(top.get("streams"), problems)}
    parts = sum(1 + len(stream.steps) for stream in streams.values())
    if parts > MAX_PARTS:
        place = next(iter(streams.values())).place
        raise UserError(f"{place}: {parts} streams and operators; a graph has at most {MAX_PARTS}")
    return GraphDraft(streams, _outputs(top.get("outputs"), streams, problems))


def is_known(name: Marked, streams: Mapping[str, StreamDraft], problems: Problems) -> bool:
    """Whether `name` is a stream or an input port; where it is not, `problems` gets that."""
    known = [*INPUTS, *streams]
    if isinstance(name.value, str) and name.value in known:
        return True
    shown = name.value if isinstance(name.value, (str, int, float)) else "this"
    hint = nearest(str(shown), known)
    problems.add(name.place, f"there is no stream {shown!r}.{hint} There are: {', '.join(known)}")
    return False


def _streams(streams: Marked | None, problems: Problems) -> Iterator[StreamDraft]:
    if streams is None:
        return
    for key, body in problems.read_pairs(streams, "streams"):
        name = str(key.value)
        if not STREAM_NAME.match(name):
            problems.add(key.place, f"stream {name!r}: a name is a-z, 0-9 and _, and begins with a letter")
        if name in INPUTS:
            problems.add(key.place, f"stream {name!r}: this is the name of an input port; take another")
            continue
        parts = problems.read_map(body, f"stream {name!r}", required=("from",), optional=("through",))
        source, through = parts.get("from"), parts.get("through")
        if through and not isinstance(through.value, list):
            problems.add(through.place, "`through` is a list of operators: [{window: {ms: 20}}, …]")
        steps = through.items if through else []
        if through and through.is_map:
            problems.add(through.place, "`through` is a list: put a - before each operator")
        yield StreamDraft(name, key.place, _names(source, problems), steps)


def _outputs(outputs: Marked | None, streams: Mapping[str, StreamDraft], problems: Problems) -> dict[str, list[Marked]]:
    found: dict[str, list[Marked]] = {}
    for key, value in problems.read_pairs(outputs, "outputs") if outputs else ():
        port = str(key.value)
        if port not in OUTPUTS:
            hint = nearest(port, OUTPUTS)
            problems.add(key.place, f"output {port!r}: there is no such port.{hint} Ports: {', '.join(OUTPUTS)}")
            continue
        found[port] = [name for name in _names(value, problems) if is_known(name, streams, problems)]
    if outputs and not found and not problems:
        problems.add(outputs.place, f"no output: bind at least one of {', '.join(OUTPUTS)}")
    return found


def _names(source: Marked | None, problems: Problems) -> list[Marked]:
    """One stream name or a list of them, as a list."""
    if source is None:
        return []
    names = source.items if isinstance(source.value, list) and not source.is_map else [source]
    if not names:
        problems.add(source.place, "an empty list: name at least one stream")
    return names
