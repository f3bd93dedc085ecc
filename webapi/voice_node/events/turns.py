"""What the caller does, and what follows from it for a reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from webapi.voice_node.events.event import WHERE_KNOWN, Event, Turn
from webapi.voice_node.events.keys import Dtmf

SHORT_INTERRUPTION = "cough"  # the reason of a SpeechEnded that was too short to interrupt a reply; not answered
# The fields that say how narrow a decision was. They do not say what was decided.
MARGINS = ("run", "needed", "probability", "threshold", "unvoiced", "hold", "highest")


@dataclass(frozen=True, slots=True)
class SpeechStarted(Event):
    """An utterance has started: `start_frames` voiced frames came in a row."""

    t_first_voiced_us: int  # arrival of the first of them
    frame: int = 0  # number of the last of them, counted from the start of the session
    run: int = 0  # voiced frames in a row, up to then
    needed: int = 0  # how many of them the rule asks for
    probability: float | None = None  # of a voice in the last of them; None: the detector gives none
    threshold: float | None = None  # the least probability that the rule asks for


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
    unvoiced: int = 0  # unvoiced frames in a row at its end: where these ended it, as many as `hold`
    hold: int = 0  # how many of them the rule asks for
    highest: float | None = None  # the highest probability of a voice in them; None: none, or the detector gives none
    done: float | None = field(default=None, metadata=WHERE_KNOWN)  # 0..1: the caller was done, as the graph was told


@dataclass(frozen=True, slots=True)
class BargeIn(Event):
    """The caller talked over the reply of `turn`, which was playing."""

    by: Turn  # the interrupting turn
    t_first_voiced_us: int  # arrival of the interrupting speech's first voiced frame
    frame: int = 0  # number of the frame with which it was decided
    run: int = 0  # voiced frames: in a row; with `barge_in: pause`, since the reply halted
    needed: int = 0  # how many of them the rule asks for
    probability: float | None = None  # as of SpeechStarted
    threshold: float | None = None  # as of SpeechStarted


@dataclass(frozen=True, slots=True)
class Superseded(Event):
    """The caller went on before anything of the reply of `turn` was heard: they had only paused."""

    by: Turn  # the turn that carries the utterance on


@dataclass(frozen=True, slots=True)
class Prompted(Event):
    """The bot begins a turn: a greeting, or a question after a long silence."""

    prompt: str  # as the graph names it


@dataclass(frozen=True, slots=True)
class HungUp(Event):
    """The bot hangs up."""

    reason: str  # for people


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
class DuckReply:
    """The reply of `turn` is playing and falls in volume: a voice is there."""

    t_us: int
    turn: Turn
    t_first_voiced_us: int  # arrival of its first voiced frame


@dataclass(frozen=True, slots=True)
class RestoreReply:
    """The reply of `turn` is as loud again as it was."""

    t_us: int
    turn: Turn


TurnEvent: TypeAlias = (
    SpeechStarted
    | PartialAudio
    | SpeechEnded
    | BargeIn
    | Superseded
    | Prompted
    | Unheard
    | HaltReply
    | ResumeReply
    | DuckReply
    | RestoreReply
    | HungUp
    | Dtmf
)
