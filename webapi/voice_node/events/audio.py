"""The caller's audio, and what is made of each piece of it. Values that are made for each are named tuples,
as making one takes half the time of a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

US_PER_S = 1_000_000
US_PER_MS = 1_000
BYTES_PER_SAMPLE = 2
ROOM_RATE_HZ = 48_000  # of the audio that LiveKit delivers and takes


class AudioChunk(NamedTuple):
    """A piece of the caller's audio, of any length."""

    t_us: int  # arrival of its last sample
    pcm: bytes
    rate: int  # Hz
    echo: bool = False  # the bot's own voice may be in it, as the caller's side does not cancel echo
    echo_left: float | None = None  # 0..1: how much of the echo may be left; BOT; None: not from a canceller


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
    done: float | None = None  # 0..1: the caller has finished; in a pause, where the graph asks and the answer is there
    second: float | None = None  # 0..1: another opinion of the same, where the backend has one: see bot_heard.py


CallerAudio: TypeAlias = AudioChunk | AudioGap
BOT = 2.0  # `echo_left` of what is the bot's own voice


def is_bot(echo_left: float | None) -> bool:
    """Whether a chunk or frame is known for the bot's own voice, by its `echo_left`."""
    return echo_left is not None and echo_left > 1


def length_us(pcm: bytes | bytearray, rate: int) -> int:
    """How long `pcm` (int16 mono at `rate` Hz) plays, in µs, rounded down."""
    return len(pcm) // BYTES_PER_SAMPLE * US_PER_S // rate
