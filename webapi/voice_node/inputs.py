"""What comes into a session from outside: caller audio, orchestrator output, the speaker's clock, the close.

What a call does is a function of these values in their order, so a recording keeps them and a replay feeds them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from webapi.voice_node.events import AudioChunk, AudioGap, Reply, Turn


@dataclass(frozen=True, slots=True)
class OrchestratorOutput:
    """A value that came from the orchestrator."""

    value: Reply


@dataclass(frozen=True, slots=True)
class PlayedOut:
    """The last sample of a reply that was not cut was played."""

    t_us: int
    turn: Turn


@dataclass(frozen=True, slots=True)
class SpeakerActed:
    """The speaker has cut, halted or resumed a reply at `t_us`. What made it do so has the stamp `cause_us`."""

    t_us: int
    cause_us: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The session closed."""

    t_us: int


Input: TypeAlias = AudioChunk | AudioGap | OrchestratorOutput | PlayedOut | SpeakerActed | Closed
