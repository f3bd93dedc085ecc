"""What the orchestrator's side gives for a turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from webapi.voice_node.events.event import Event, Turn
from webapi.voice_node.events.turns import DuckReply, HaltReply, RestoreReply, ResumeReply
from webapi.voice_node.events.words import HeardText, Mark, MessageSent, Transcript

ReplyOutcome: TypeAlias = Literal["completed", "failed", "timeout", "empty"]
CutOutcome: TypeAlias = Literal["barged_in", "superseded", "closed"]


@dataclass(frozen=True, slots=True)
class ReplyStarted(Event):
    """The orchestrator is asked for a reply, or a prompt is fetched."""


@dataclass(frozen=True, slots=True)
class LlmRequestDone(Event):
    """The orchestrator reported that its language model is done."""


@dataclass(frozen=True, slots=True)
class TtsFirstChunk(Event):
    """The first audio of the reply is there: the orchestrator reported it, or the node got it."""


@dataclass(frozen=True, slots=True)
class Uninterruptible(Event):
    """The orchestrator said that this reply must be heard to its end: the caller can't interrupt it."""


@dataclass(frozen=True, slots=True)
class ReplyEnded(Event):
    """The orchestrator's stream ended by itself, well or badly. Its audio may still be playing."""

    outcome: ReplyOutcome
    detail: str = ""  # for people: what went wrong


@dataclass(frozen=True, slots=True)
class ReplyCut(Event):
    """The reply is cancelled: its stream is disposed, and the queue for the room must be cleared."""

    outcome: CutOutcome


@dataclass(frozen=True, slots=True)
class HookFailed(Event):
    """The orchestrator raised in a method other than `get_audio_reply`. The call goes on."""

    hook: str  # name of the method
    detail: str  # for people: type and text of the error


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """A piece of a reply on its way to the room."""

    t_us: int
    turn: Turn
    pcm: bytes
    rate: int  # Hz


@dataclass(frozen=True, slots=True)
class FillerAudio(ReplyAudio):
    """A piece of the filler that is played while the reply is late. It is no part of the reply."""


Reply: TypeAlias = (
    ReplyStarted
    | LlmRequestDone
    | TtsFirstChunk
    | Uninterruptible
    | ReplyAudio
    | HaltReply
    | ResumeReply
    | DuckReply
    | RestoreReply
    | ReplyEnded
    | ReplyCut
    | HookFailed
    | Transcript
    | Mark
    | MessageSent
    | HeardText
)
