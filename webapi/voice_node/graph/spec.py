"""A graph that is right, as values: streams, their operators, and the ports they are bound to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapi.voice_node.events import ROOM_RATE_HZ
from webapi.voice_node.graph.marked_yaml import Place
from webapi.voice_node.operators.kinds import AUDIO, PLAYBACK, PLAYED, TURNS, Kind

VERSION = 1
INPUTS = {"caller": Kind(AUDIO.name, ROOM_RATE_HZ), "playback": PLAYBACK, "played": PLAYED}
OUTPUTS = {
    "speaker": (Kind("replies", ROOM_RATE_HZ),),
    "events": (TURNS,),  # what happens to replies is seen at the speaker, whatever the graph
}


@dataclass(frozen=True)
class StepSpec:
    """One operator of a stream, its arguments checked, and what it gives."""

    operator: str
    arguments: dict[str, Any]
    reads: dict[str, str]  # argument → stream
    gives: Kind
    place: Place  # in its file


@dataclass(frozen=True)
class StreamSpec:
    """A named stream: where it comes from (several sources are merged) and through which operators."""

    name: str
    sources: tuple[str, ...]
    steps: tuple[StepSpec, ...]
    gives: Kind


@dataclass(frozen=True)
class GraphSpec:
    """A graph that is right. Streams come in an order in which each one's sources stand before it."""

    name: str
    path: Path
    streams: tuple[StreamSpec, ...]
    outputs: dict[str, tuple[str, ...]]
    text: str  # as it was read: the file may be another by now

    @property
    def taps(self) -> list[str]:
        """The files that it writes beside everything else."""
        return [step.arguments["file"] for s in self.streams for step in s.steps if step.operator == "tap"]

    def in_order(self) -> Iterator[StreamSpec]:
        """The streams, sources first."""
        return iter(self.streams)

    def readers(self, name: str) -> int:
        """How often stream or port `name` is read."""
        return (
            sum(list(s.sources).count(name) for s in self.streams)
            + sum(list(step.reads.values()).count(name) for s in self.streams for step in s.steps)
            + sum(list(names).count(name) for names in self.outputs.values())
        )
