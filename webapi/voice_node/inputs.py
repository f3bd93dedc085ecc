"""What comes into a session from outside: who calls, their audio and keys, what the orchestrator gives, and the close.

What a call does is a function of these values in their order, so a recording keeps them and a replay feeds them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from webapi.voice_node.events import AudioChunk, AudioGap, ExpectsAsked, HangUpAsked, KeyPressed, Reply, SayAsked, Turn


@dataclass(frozen=True, slots=True)
class CallerInfo:
    """Who calls, as LiveKit knows them when the call begins."""

    identity: str = "caller"
    name: str = ""
    kind: str = "standard"  # standard, sip (a phone), ingress, egress, agent
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


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
class EndOfTurnAnswered:
    """A backend has answered whether the caller is done, and with frame `frame` the answer came into the graph."""

    t_us: int  # arrival of that frame
    backend: str  # its name
    asked: int  # number of the frame with which it was asked
    frame: int
    done: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The session closed."""

    t_us: int


Input: TypeAlias = (
    AudioChunk
    | AudioGap
    | KeyPressed
    | OrchestratorOutput
    | SayAsked
    | HangUpAsked
    | ExpectsAsked
    | PlayedOut
    | SpeakerActed
    | EndOfTurnAnswered
    | Closed
)
FROM_CALLER = (AudioChunk, AudioGap, KeyPressed, Closed)  # the inputs that are not the orchestrator's or the speaker's
ASKED = (SayAsked, HangUpAsked, ExpectsAsked)  # what the orchestrator asks for of its own accord
