"""The values that flow through the graph. All are immutable.

Time is `t_us`: integer microseconds on the session's one clock, read once, where the value's cause came in. A value
that follows from another has the stamp of its cause, so no operator reads a clock.
PCM is little-endian int16, mono, as `bytes`. Values that are made for each piece of the caller's audio are named
tuples, as making one takes half the time of a frozen dataclass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

US_PER_S = 1_000_000
US_PER_MS = 1_000
BYTES_PER_SAMPLE = 2
ROOM_RATE_HZ = 48_000  # of the audio that LiveKit delivers and takes

ReplyOutcome: TypeAlias = Literal["completed", "failed", "timeout", "empty"]
CutOutcome: TypeAlias = Literal["barged_in", "superseded", "closed"]
SHORT_INTERRUPTION = "cough"  # the reason of a SpeechEnded that was too short to interrupt a reply; not answered


# ---------------------------------------------------------------- audio


class AudioChunk(NamedTuple):
    """A piece of the caller's audio, of any length."""

    t_us: int  # arrival of its last sample
    pcm: bytes
    rate: int  # Hz
    echo: bool = False  # the bot's own voice may be in it, as the caller's side does not cancel echo
    echo_left: float | None = None  # 0..1: how much of the echo may be left; None: not from a canceller


@dataclass(frozen=True, slots=True)
class AudioGap:
    """The caller's audio stopped: muted, track gone, network gone, recording over."""

    t_us: int
    reason: str  # for people
    unheard: bool = False  # the bot's audio stopped too: nobody hears it any more


class Frame(NamedTuple):
    """One analysis window, 20 ms by default."""

    t_us: int  # arrival of its last sample
    pcm: bytes
    rate: int  # Hz
    number: int  # frames since the session began
    echo_left: float | None = None  # of the chunk that completed it


class Voiced(NamedTuple):
    """A frame, and whether the detector found a voice in it."""

    frame: Frame
    voiced: bool
    probability: float | None = None  # 0..1, where the backend has one


# ---------------------------------------------------------------- what happened


class Turn(NamedTuple):
    """The turn that a value belongs to: one utterance of the caller and the reply to it, or one prompt."""

    trace_id: str  # unique per turn
    number: int  # 0, 1, 2… within the session


@dataclass(frozen=True, slots=True)
class Event:
    """A value that observers get (metrics, log, clients, recordings). `name` is the class's name in snake case."""

    t_us: int
    turn: Turn
    name: ClassVar[str] = "event"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # No zero-argument super() here: dataclass(slots=True) builds the class anew and would lose its cell.
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@dataclass(frozen=True, slots=True)
class SpeechStarted(Event):
    """An utterance has started: `start_frames` voiced frames came in a row."""

    t_first_voiced_us: int  # arrival of the first of them
    frame: int = 0  # number of the last of them, counted from the start of the session


@dataclass(frozen=True, slots=True)
class SpeechEnded(Event):
    """An utterance is over: `end_frames` unvoiced frames in a row, or the caller's audio stopped. Has its audio."""

    pcm: bytes  # pre-roll, speech, hangover; and, before them, the utterance of a superseded turn
    rate: int  # Hz
    t_first_byte_us: int  # arrival of the first sample of pcm; uneven, so only the length of pcm says how long it is
    t_last_byte_us: int  # arrival of the last sample of pcm
    t_first_voiced_us: int  # arrival of the utterance's first voiced frame
    t_last_voiced_us: int  # arrival of its last voiced frame
    voiced_ms: int  # voiced frames in it
    reason: str  # "silence", "noise" (only noise kept it open), "too_long", "cough", or why the audio stopped
    frame: int = 0  # number of the last frame in pcm


@dataclass(frozen=True, slots=True)
class BargeIn(Event):
    """The caller talked over the reply of `turn`, which was playing."""

    by: Turn  # the interrupting turn
    t_first_voiced_us: int  # arrival of the interrupting speech's first voiced frame
    frame: int = 0  # number of the frame with which it was decided


@dataclass(frozen=True, slots=True)
class Superseded(Event):
    """The caller went on before anything of the reply of `turn` was heard: they had only paused."""

    by: Turn  # the turn that carries the utterance on


@dataclass(frozen=True, slots=True)
class Prompted(Event):
    """The bot begins a turn: a greeting, or a question after a long silence."""

    prompt: str  # as the graph names it


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
class FillerStarted(Event):
    """The reply is late, and the first frame of its filler was published."""


@dataclass(frozen=True, slots=True)
class PlaybackStarted(Event):
    """The first frame of the reply was published."""

    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class PlaybackPaused(Event):
    """The reply has halted, because the caller speaks or coughs."""

    heard_ms: int  # how much of the reply was played so far


@dataclass(frozen=True, slots=True)
class PlaybackResumed(Event):
    """The reply goes on with the sample at which it halted."""


@dataclass(frozen=True, slots=True)
class PlaybackEnded(Event):
    """Nothing of the reply will be heard any more. Comes once for each reply, also for one that never played."""

    heard_ms: int  # how much of the reply was played; a filler before it does not count
    completed: bool  # the orchestrator's stream completed, and all of it was played
    flushed_ms: int = 0  # how much was queued for the room and taken back; a filler counts too


@dataclass(frozen=True, slots=True)
class FramesDropped(Event):
    """Pieces of audio that came for a reply that was already over, and were not played."""

    frames: int  # how many
    reason: str  # for people


@dataclass(frozen=True, slots=True)
class HookFailed(Event):
    """The orchestrator raised in a method other than `get_audio_reply`. The call goes on."""

    hook: str  # name of the method
    detail: str  # for people: type and text of the error


# ---------------------------------------------------------------- what flows without being told


class PartialAudio(NamedTuple):
    """A piece of an utterance that goes on. The first one has the pre-roll, too."""

    t_us: int
    turn: Turn
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Unheard:
    """The reply of `turn` was playing, and nobody can hear it any more."""

    t_us: int
    turn: Turn


@dataclass(frozen=True, slots=True)
class HaltReply:
    """The reply of `turn` is playing and halts."""

    t_us: int
    turn: Turn


@dataclass(frozen=True, slots=True)
class ResumeReply:
    """The reply of `turn` goes on with the sample at which it halted."""

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
    """A piece of the filler that is played while the reply is late. It is no part of the reply."""


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
