"""The values that flow through the graph, and nothing else: frozen, slotted, units on every field.

Time is `t_us`: integer microseconds on the session's one clock, stamped by the edge when the value's cause arrived.
A value that follows from another carries the stamp of its cause, so no operator ever reads a clock.
PCM is always little-endian int16, mono, as `bytes`. What is made for each piece of the caller's audio is a named
tuple: that takes half the time of a frozen dataclass.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

US_PER_S = 1_000_000
US_PER_MS = 1_000
BYTES_PER_SAMPLE = 2
ROOM_RATE_HZ = 48_000  # of the audio that LiveKit delivers and takes

ReplyOutcome: TypeAlias = Literal["completed", "failed", "timeout", "empty"]
CutOutcome: TypeAlias = Literal["barged_in", "superseded", "closed"]
SHORT_INTERRUPTION = "cough"  # why speech ended that was too short to interrupt a reply: nobody answers it


# ---------------------------------------------------------------- audio


class AudioChunk(NamedTuple):
    """A piece of the caller's audio, of any length."""

    t_us: int  # arrival of its last sample
    pcm: bytes
    rate: int  # Hz
    echo: bool = False  # the bot's own voice may be in it: the caller's side does not cancel it
    echo_left: float | None = None  # 0..1: what a canceller may have left of it; None: this is not a canceller's


@dataclass(frozen=True, slots=True)
class AudioGap:
    """The caller's audio stopped: muted, track gone, network gone, recording over."""

    t_us: int
    reason: str
    unheard: bool = False  # the bot's audio too: nobody hears it any more


class Frame(NamedTuple):
    """One analysis window, 20 ms by default."""

    t_us: int  # arrival of its last sample
    pcm: bytes
    rate: int  # Hz
    number: int  # frames since the session began
    echo_left: float | None = None  # of the chunk that it ends in


class Voiced(NamedTuple):
    """A frame and whether a voice was heard in it."""

    frame: Frame
    voiced: bool
    probability: float | None = None  # 0..1, where the backend has one


# ---------------------------------------------------------------- what happened


class Turn(NamedTuple):
    """Who a value belongs to: one utterance of the caller and the reply to it."""

    trace_id: str  # unique per turn
    number: int  # 0, 1, 2… within the session


@dataclass(frozen=True, slots=True)
class Event:
    """Something that observers (metrics, log, clients, recordings) are told. Its name is the class's, in snake case."""

    t_us: int
    turn: Turn
    name: ClassVar[str] = "event"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # No zero-argument super() here: dataclass(slots=True) builds the class anew and would lose its cell.
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@dataclass(frozen=True, slots=True)
class SpeechStarted(Event):
    """N voiced frames in a row."""

    t_first_voiced_us: int  # arrival of the first of them
    frame: int = 0  # position of the last of them, counted from the start of the session


@dataclass(frozen=True, slots=True)
class SpeechEnded(Event):
    """M unvoiced frames in a row, or the caller's audio stopped. Carries the whole utterance."""

    pcm: bytes  # pre-roll, speech, hangover; and, before them, what a superseded turn had said
    rate: int  # Hz
    t_first_byte_us: int  # arrival of the first sample of pcm; as uneven as the network, so pcm's length tells how long
    t_last_byte_us: int  # arrival of the last sample of pcm
    t_first_voiced_us: int  # arrival of the utterance's first voiced frame
    t_last_voiced_us: int  # arrival of its last voiced frame
    voiced_ms: int  # voiced frames in it
    reason: str  # "silence", "noise" (only that kept it open), "too_long", COUGH, or why the audio stopped
    frame: int = 0  # position of the last frame in pcm


@dataclass(frozen=True, slots=True)
class BargeIn(Event):
    """The caller talked over the reply of `turn`, which was playing."""

    by: Turn  # the interrupting turn
    t_first_voiced_us: int  # arrival of the interrupting speech's first voiced frame
    frame: int = 0  # position of the frame that decided


@dataclass(frozen=True, slots=True)
class Superseded(Event):
    """The caller went on before anything of the reply of `turn` was heard: they had only paused."""

    by: Turn


@dataclass(frozen=True, slots=True)
class Prompted(Event):
    """The bot says something of its own accord, as a turn that nobody began: a greeting, or after a long silence."""

    prompt: str  # as the graph names it


@dataclass(frozen=True, slots=True)
class ReplyStarted(Event):
    """The orchestrator is called, or a prompt is fetched."""


@dataclass(frozen=True, slots=True)
class LlmRequestDone(Event):
    """The orchestrator said that its language model is done."""


@dataclass(frozen=True, slots=True)
class TtsFirstChunk(Event):
    """The orchestrator said, or the node saw, that the first audio of the reply is there."""


@dataclass(frozen=True, slots=True)
class Uninterruptible(Event):
    """The orchestrator wants this reply to be heard to its end: nothing that the caller says interrupts it."""


@dataclass(frozen=True, slots=True)
class ReplyEnded(Event):
    """The orchestrator's stream is over by itself, well or badly. What it gave may still be playing."""

    outcome: ReplyOutcome
    detail: str = ""  # for people: what went wrong


@dataclass(frozen=True, slots=True)
class ReplyCut(Event):
    """The reply is cancelled: its stream is disposed, and whatever is queued for the room must go."""

    outcome: CutOutcome


@dataclass(frozen=True, slots=True)
class FillerStarted(Event):
    """The reply is late, and the first frame of the filler that stands in for it was published."""


@dataclass(frozen=True, slots=True)
class PlaybackStarted(Event):
    """The first frame of the reply was published."""

    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class PlaybackPaused(Event):
    """The reply has halted: somebody speaks, or coughs."""

    heard_ms: int  # how much of it was played out so far


@dataclass(frozen=True, slots=True)
class PlaybackResumed(Event):
    """The reply goes on where it halted."""


@dataclass(frozen=True, slots=True)
class PlaybackEnded(Event):
    """Nothing of the reply will be heard any more. Comes once for each reply, also for one that never played."""

    heard_ms: int  # how much of it was played out; a filler before it does not count
    completed: bool  # all that the orchestrator meant to say was heard
    flushed_ms: int = 0  # what was queued for the room and taken back, also of a filler


@dataclass(frozen=True, slots=True)
class FramesDropped(Event):
    """Frames that came for a reply that was already over."""

    frames: int
    reason: str


@dataclass(frozen=True, slots=True)
class HookFailed(Event):
    """The orchestrator raised in something other than its reply. Nothing but this notice comes of it."""

    hook: str  # the method
    detail: str


# ---------------------------------------------------------------- what flows without being told


class PartialAudio(NamedTuple):
    """A piece of an utterance while it is being spoken."""

    t_us: int
    turn: Turn
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nobody can hear the reply of `turn` any more, which was playing."""

    t_us: int
    turn: Turn


@dataclass(frozen=True, slots=True)
class HaltReply:
    """The reply of `turn`, which plays, halts where it is."""

    t_us: int
    turn: Turn


@dataclass(frozen=True, slots=True)
class ResumeReply:
    """It goes on from there."""

    t_us: int
    turn: Turn


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """A piece of a reply on its way to the room."""

    t_us: int
    turn: Turn
    pcm: bytes
    rate: int  # Hz


@dataclass(frozen=True, slots=True)
class FillerAudio(ReplyAudio):
    """A piece of what is said while the reply is late. It is no part of the reply."""


CallerAudio: TypeAlias = AudioChunk | AudioGap
TurnEvent: TypeAlias = (
    SpeechStarted | PartialAudio | SpeechEnded | BargeIn | Superseded | Prompted | Unheard | HaltReply | ResumeReply
)
Reply: TypeAlias = (
    ReplyStarted
    | LlmRequestDone
    | TtsFirstChunk
    | Uninterruptible
    | ReplyAudio
    | HaltReply
    | ResumeReply
    | ReplyEnded
    | ReplyCut
    | HookFailed
)
Playback: TypeAlias = FillerStarted | PlaybackStarted | PlaybackPaused | PlaybackResumed | PlaybackEnded | FramesDropped
Played: TypeAlias = ReplyAudio | PlaybackPaused | PlaybackEnded  # a piece plays from its stamp on, or behind what plays


def json_line(value: Any) -> str:
    """A line of a .jsonl file. A lone surrogate, which UTF-8 can't hold, is written as JSON escapes it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode() + "\n"


def record(event: Event, origin_us: int) -> dict[str, Any]:
    """The event as events.jsonl, the log and the room's clients get it: `event`, `t` (stream seconds), ids, its fields.

    Microsecond fields become seconds since `origin_us` (the session's start) without the `_us`; audio is left out.
    """
    line: dict[str, Any] = {
        "event": event.name,
        "t": seconds(event.t_us - origin_us),
        "turn_index": event.turn.number,
        "trace_id": event.turn.trace_id,
    }
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name in ("t_us", "turn") or isinstance(value, bytes):
            continue
        if isinstance(value, Turn):
            line[field.name] = value.trace_id
        elif field.name.endswith("_us"):
            line[field.name.removesuffix("_us")] = seconds(value - origin_us)
        else:
            line[field.name] = value
    return line


def seconds(us: int) -> float:
    """Microseconds as seconds, rounded to the microsecond so that the same integer always prints the same digits."""
    return round(us / US_PER_S, 6)
