"""What was really played of a reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from webapi.voice_node.events.event import Event
from webapi.voice_node.events.replies import ReplyAudio


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
class PlaybackDucked(Event):
    """The reply plays on softly, because a voice is there: whether that is a turn is not decided yet."""

    heard_ms: int  # how much of the reply was played so far
    sample: int  # of the reply, at the rate of the room: it falls from here on; of a filler it is 0
    t_first_voiced_us: int  # arrival of the first voiced frame


@dataclass(frozen=True, slots=True)
class PlaybackRestored(Event):
    """The reply is loud again: what it fell for was no turn."""

    heard_ms: int  # how much of the reply was played so far
    sample: int  # of the reply: it rises from here on


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


Playback: TypeAlias = (
    FillerStarted
    | PlaybackStarted
    | PlaybackPaused
    | PlaybackResumed
    | PlaybackDucked
    | PlaybackRestored
    | PlaybackEnded
    | FramesDropped
)
# A piece plays from its stamp on, or behind what plays.
Played: TypeAlias = ReplyAudio | PlaybackPaused | PlaybackDucked | PlaybackRestored | PlaybackEnded
