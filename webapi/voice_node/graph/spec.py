"""A checked graph as values: streams, their operators, and the ports they are bound to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapi.voice_node.events import ROOM_RATE_HZ
from webapi.voice_node.graph.yaml_parser import Place
from webapi.voice_node.operators.kinds import ASKED, AUDIO, KEYS, PLAYBACK, PLAYED, TURNS, WORDS, Kind

VERSION = 1
INPUTS = {
    "caller": Kind(AUDIO.name, ROOM_RATE_HZ),
    "playback": PLAYBACK,
    "played": PLAYED,
    "asked": ASKED,
    "keys": KEYS,
    "words": WORDS,
}
OUTPUTS = {
    "speaker": (Kind("replies", ROOM_RATE_HZ),),
    "events": (TURNS,),  # reply events need no port: the session takes them at the speaker
}


@dataclass(frozen=True)
class StepSpec:
    """One operator of a stream, with checked arguments, and the kind that it gives."""

    operator: str
    arguments: dict[str, Any]
    reads: dict[str, str]  # stream or input port by argument
    gives: Kind
    place: Place


@dataclass(frozen=True)
class StreamSpec:
    """A named stream: its sources, which are merged, and its operators."""

    name: str
    sources: tuple[str, ...]
    steps: tuple[StepSpec, ...]
    gives: Kind


@dataclass(frozen=True)
class GraphSpec:
    """A checked graph. Each stream stands behind the streams that it reads."""

    name: str
    path: Path
    streams: tuple[StreamSpec, ...]
    outputs: dict[str, tuple[str, ...]]
    text: str  # of the file when it was read
    folder: Path  # where its sounds and models lie

    def readers(self, name: str) -> int:
        """How many readers the stream or port `name` has: streams, arguments and outputs."""
        return (
            sum(list(s.sources).count(name) for s in self.streams)
            + sum(list(step.reads.values()).count(name) for s in self.streams for step in s.steps)
            + sum(list(names).count(name) for names in self.outputs.values())
        )
