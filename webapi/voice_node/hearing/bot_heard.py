"""Whether the bot's own voice may be in what the caller's microphone sends. Pure.

    played   --▶▶▶▶▶▶▶▶----------------
    may be   --1111111111111111--------

Most callers' browsers cancel the bot's echo and leave a little of it, 10 to 40 dB softer than a voice. It sounds like a
soft voice, because it is one. It comes with the bot's audio, and later: by the network there and back, the buffers of
both, and the room. So a second opinion (second_opinion.py), which finds soft voices, does not count then.
"""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.events import Event, FillerStarted, PlaybackEnded, PlaybackStarted, Voiced
from webapi.voice_node.hearing.endpoint import END
from webapi.voice_node.hearing.onset import HELD

LINGERS_US = 900_000


class BotHeard(NamedTuple):
    """What is played, and how long that which was played may be heard."""

    turn: int | None = None  # whose reply plays
    until_us: int = 0


def at_playback(s: BotHeard, event: Event) -> BotHeard:
    """What the speaker reports. Other events change nothing."""
    if isinstance(event, (FillerStarted, PlaybackStarted)):
        return BotHeard(event.turn.number, s.until_us)
    if isinstance(event, PlaybackEnded) and event.turn.number == s.turn:
        return BotHeard(None, event.t_us + LINGERS_US)
    return s


def may_be(s: BotHeard, t_us: int) -> bool:
    """Whether the bot may be heard in what arrives at `t_us`."""
    return s.turn is not None or t_us < s.until_us


def counted(s: BotHeard, value: Voiced) -> Voiced:
    """The frame with the evidence that counts."""
    second, first = value.second, value.probability
    if second is None or second < END or may_be(s, value.frame.t_us):
        return value
    voiced = value.voiced or second >= HELD  # webrtc flags no soft voice
    return value._replace(voiced=voiced, probability=None if first is None else max(first, second))
