"""What comes into a session from outside, in order: caller audio, orchestrator output, playback ends, the close.

A call is a function of these values, so a recording keeps them and a replay feeds them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from webapi.voice_node.events import AudioChunk, AudioGap, Reply, Turn


@dataclass(frozen=True, slots=True)
class OrchestratorOutput:
    """What came from the orchestrator's side: a value of the reply stream."""

    value: Reply


@dataclass(frozen=True, slots=True)
class PlayedOut:
    """The last sample of a reply that ended by itself was played."""

    t_us: int
    turn: Turn


@dataclass(frozen=True, slots=True)
class Closed:
    """The session was closed."""

    t_us: int


Input: TypeAlias = AudioChunk | AudioGap | OrchestratorOutput | PlayedOut | Closed
