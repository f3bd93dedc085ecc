"""Splits a graph: what hears only the caller, and what decides and answers.

    caller ─► cancel_echo ─► resample ─► window ─► vad ─► turn_events ─► reply ─► resample ─► speaker
    └───────── the caller's part: two sections ────────┘  └──────────── the rest ───────────────────┘

The caller's part gives the same values whatever the bot plays, so cells that have it in common can share them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from webapi.voice_node.graph.spec import INPUTS, GraphSpec, StepSpec, StreamSpec
from webapi.voice_node.operators import BUILT_IN, TABLE
from webapi.voice_node.operators.kinds import FRAMES, TURNS, VOICED, Kind
from webapi.voice_node.vad import BUILT_IN as OWN_VADS
from webapi.voice_node.vad import used_backend

CALLER = "caller"
OWN = {each.name: each for each in BUILT_IN}
HEARS_CALLER = ("combine", "resample", "vad", "window")  # of our own, with `info`: what they give follows from what
# they take and their arguments. What another package's operator does with `info`, nobody knows.


class SectionStep(NamedTuple):
    """An operator, and the kind that the one after it in its stream gives (see BuildInfo)."""

    step: StepSpec
    following: Kind


@dataclass(frozen=True)
class Section:
    """Operators that follow each other; the last gives frames or voiced frames, and no other does.

    `key` says what it computes, as a text: operators and arguments from the caller's audio on. Two with the same key
    give the same values for the same audio.
    """

    steps: tuple[SectionStep, ...]
    before: Section | None = field(repr=False)  # None: the caller's audio
    other: Section | None = field(repr=False)  # the second stream of a `combine`
    own: bool  # nothing of another package is in it or before it: its code is known by the node's version
    key: str


class CallerPart(NamedTuple):
    """A graph in two parts."""

    section: Section  # the last one of the caller's part
    rest: GraphSpec  # its port `caller` takes what the section gives


def split(graph: GraphSpec) -> CallerPart | None:
    """Return the two parts, the first one as large as it can be; None where no operator hears only the caller.

    The graph is one of a sweep: no audio has an echo in it (AudioChunk.echo), and taps write nothing.
    """
    for stream, count in _places_before_turns(graph):
        part = _split_at(graph, stream, count)
        if part is not None:
            return part
    return None


def _places_before_turns(graph: GraphSpec) -> Iterator[tuple[StreamSpec, int]]:
    """Yield places from that of the turns up to the caller: a stream, and how many of its operators are before it."""
    streams = {stream.name: stream for stream in graph.streams}
    kinds = {stream.name: [step.gives.name for step in stream.steps] for stream in graph.streams}
    found = next((stream for stream in graph.streams if TURNS.name in kinds[stream.name]), None)
    count = kinds[found.name].index(TURNS.name) if found else 0
    while found is not None:
        yield from ((found, each) for each in range(count, -1, -1))
        found = streams.get(found.sources[0])
        count = len(found.steps) if found else 0


def _split_at(graph: GraphSpec, stream: StreamSpec, count: int) -> CallerPart | None:
    walk = _Walk(graph)
    place = walk.behind(stream, count)
    if place is None or place.section is None or place.steps:
        return None
    if any(graph.readers(name) != walk.reads[name] for name in (CALLER, *walk.places)):
        return None  # something of the rest reads the caller's part, too
    cut = replace(stream, sources=(CALLER,), steps=stream.steps[count:])
    rest = (cut if each is stream else each for each in graph.streams if each.name not in walk.places)
    return CallerPart(place.section, replace(graph, streams=tuple(rest)))


class _Place(NamedTuple):
    """A place in the caller's part: behind a section (None: the caller), and behind steps that complete none."""

    section: Section | None
    steps: tuple[SectionStep, ...]
    own: bool


class _Walk:
    """Goes from a place of a graph up to the caller. `places` are those behind the streams on the way.

    A place is None where it can't be in the caller's part. `reads` counts who reads a stream or port on the way.
    """

    def __init__(self, graph: GraphSpec) -> None:
        self._streams = {stream.name: stream for stream in graph.streams}
        self._speaks = bool(graph.outputs.get("speaker"))
        self.places: dict[str, _Place | None] = {}
        self.reads: Counter[str] = Counter()

    def behind(self, stream: StreamSpec, count: int) -> _Place | None:
        """The place behind the first `count` operators of a stream."""
        self.reads.update(stream.sources)
        place = self._at(stream.sources[0]) if len(stream.sources) == 1 else None
        kinds = [step.gives for step in (*stream.steps[1:], stream.steps[-1])] if stream.steps else []
        for step, following in zip(stream.steps[:count], kinds, strict=False):
            place = place and self._through(place, SectionStep(step, following))
        return place

    def _at(self, name: str) -> _Place | None:
        if name in INPUTS:
            return _Place(None, (), own=True) if name == CALLER else None
        if name not in self.places:
            stream = self._streams[name]
            self.places[name] = self.behind(stream, len(stream.steps))
        return self.places[name]

    def _through(self, place: _Place, made: SectionStep) -> _Place | None:
        """The place behind one more operator."""
        step, _ = made
        operator = TABLE[step.operator]
        is_own = operator is OWN.get(step.operator)
        if is_own and self._passes_all(step):
            return place
        if (operator.wants_info or step.reads) and not (is_own and step.operator in HEARS_CALLER):
            return None
        others = self._others(step.reads)
        if others is None:
            return None
        own = place.own and is_own and (step.operator != "vad" or used_backend(_backend(step)) in OWN_VADS)
        own = own and all(other.own for other in others)
        steps = (*place.steps, made)
        if step.gives.name not in (FRAMES.name, VOICED.name):
            return _Place(place.section, steps, own)
        key = _key(place.section, steps, others)
        return _Place(Section(steps, place.section, others[0] if others else None, own, key), (), own)

    def _passes_all(self, step: StepSpec) -> bool:
        """Whether it gives what it takes, in a sweep: no audio has an echo in it, and no tap writes."""
        if step.operator == "cancel_echo":
            return step.arguments["when"] != "always" or not self._speaks
        return step.operator == "tap"

    def _others(self, reads: Mapping[str, str]) -> list[Section] | None:
        """The sections that arguments name; None where one of them is not in the caller's part."""
        self.reads.update(reads.values())
        sections = []
        for name in reads.values():
            place = self._at(name)
            if place is None or place.section is None or place.steps:
                return None
            sections.append(place.section)
        return sections if len(sections) < 2 else None  # none of ours reads two


def _backend(step: StepSpec) -> str:
    return str(step.arguments["backend"])


def _key(before: Section | None, steps: tuple[SectionStep, ...], others: list[Section]) -> str:
    written = []
    for step, following in steps:
        arguments = dict(step.arguments)
        if step.operator == "vad":
            arguments["backend"] = used_backend(_backend(step))
        behind = f" by {following.ms} ms" if step.operator == "resample" else ""  # no other of ours asks
        written.append(f"{step.operator} {sorted(arguments.items())!r} {step.gives}{behind}")
    ways = [before.key if before else CALLER, *(other.key for other in others)]
    return f"({' & '.join(ways)}) | {' | '.join(written)}"
