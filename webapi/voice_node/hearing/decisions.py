"""What the turn reducer decides: values without audio. `operators/turn_events.py` makes events of them."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from webapi.voice_node.hearing.utterance import Utterance


class Started(NamedTuple):
    """The caller began to talk."""

    utterance: Utterance
    voiced_us: int  # arrival of the first voiced frame of this start; a carried utterance began earlier


class Ended(NamedTuple):
    """The caller stopped talking."""

    utterance: Utterance
    last_frame: int  # of the utterance
    reason: str  # "silence", "noise", "too_long" (endpoint.py), SHORT_INTERRUPTION, or why the audio stopped


class Interrupted(NamedTuple):
    """The reply to turn `turn` must go: a barge-in (`playing`), or superseded before any of it was heard."""

    turn: int
    by: int  # the turn of the caller's new utterance
    voiced_us: int  # arrival of that utterance's first voiced frame
    playing: bool


class Halted(NamedTuple):
    """The reply to turn `turn` plays and must fall silent. It may go on later."""

    turn: int


class Resumed(NamedTuple):
    """The reply to turn `turn` goes on where it halted."""

    turn: int


class Ducked(NamedTuple):
    """The reply to turn `turn` plays and becomes soft: a voice is there."""

    turn: int
    voiced_us: int  # arrival of its first voiced frame


class Restored(NamedTuple):
    """The reply to turn `turn` is loud again."""

    turn: int


class PromptDue(NamedTuple):
    """The bot begins turn `turn` with a prompt."""

    turn: int
    prompt: str


class SayDue(NamedTuple):
    """The bot begins turn `turn`, which the orchestrator has asked for."""

    turn: int
    trace_id: str


class HangUpDue(NamedTuple):
    """The bot hangs up."""

    reason: str


Decision: TypeAlias = (
    Started | Ended | Interrupted | Halted | Resumed | Ducked | Restored | PromptDue | SayDue | HangUpDue
)
