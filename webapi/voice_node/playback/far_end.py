"""What the caller's loudspeaker plays, in step with what the caller's microphone takes up."""

from __future__ import annotations

from collections import deque

from webapi.voice_node.events import (
    BYTES_PER_SAMPLE,
    ROOM_RATE_HZ,
    US_PER_MS,
    US_PER_S,
    PlaybackDucked,
    PlaybackRestored,
    Played,
    ReplyAudio,
)
from webapi.voice_node.playback.fades import FADE_MS
from webapi.voice_node.playback.sample_queue import SampleQueue
from webapi.voice_node.playback.volume import DOWN_MS, DUCKED, FULL, UP_MS, Volume, samples_in

PIECE_MS = 10  # how much an echo canceller takes at a time
PIECE_BYTES = ROOM_RATE_HZ * PIECE_MS // 1000 * BYTES_PER_SAMPLE
BEST_OF = 100  # chunks: the one that came with the least delay among them shows where the caller's clock stands
MOVES_MS = 40  # only a larger shift is followed: the canceller copes with less, and forgets what it learnt with more
KEPT = 10 * ROOM_RATE_HZ  # samples that were played, for a caller whose chunks come late


class FarEnd:
    """The far-end signal of an echo canceller, in pieces of 10 ms (int16 mono at 48 kHz).

    Chunks come unevenly, samples do not. So the clock of what was played goes on by 10 ms a piece, and is set anew only
    where the least delayed chunk of the last second shows that it is off by more than the canceller copes with.
    """

    def __init__(self) -> None:
        self._queue = SampleQueue()
        self._volume = Volume()
        self._late_us: deque[int] = deque(maxlen=BEST_OF)  # of each chunk: its arrival less the clock
        self._clock_us = 0

    def on_played(self, value: Played) -> None:
        """The speaker plays a piece from its stamp on, or behind what plays; or its volume changes; or it ends."""
        now = value.t_us * ROOM_RATE_HZ // US_PER_S
        if isinstance(value, ReplyAudio):
            self._queue.push(now, value.pcm)
            self._queue.skip(now - KEPT)  # who is muted takes nothing, however long the bot talks
        elif isinstance(value, PlaybackDucked):
            self._volume.turn(now, DUCKED, DOWN_MS)
        elif isinstance(value, PlaybackRestored):
            self._volume.turn(now, FULL, UP_MS)
        else:
            self._queue.cut(now)
            if self._volume.target != FULL:
                self._volume.turn(now + FADE_MS * ROOM_RATE_HZ // 1000, FULL, 0)

    def arrived(self, t_us: int, pieces: int) -> None:
        """A chunk of the caller's audio has come at `t_us` that completes so many pieces."""
        begins_us = t_us - pieces * PIECE_MS * US_PER_MS
        self._late_us.append(begins_us - self._clock_us)
        off_us = min(self._late_us)
        if abs(off_us) > MOVES_MS * US_PER_MS:
            self._clock_us += off_us
            self._late_us = deque((late - off_us for late in self._late_us), BEST_OF)
            self._queue.skip(self._clock_us * ROOM_RATE_HZ // US_PER_S)

    def lose_step(self) -> None:
        """The caller's audio has stopped. When it goes on, the clock may be off by any amount."""
        self._late_us.clear()

    def next_piece(self) -> bytes:
        """What was played in the next 10 ms of the caller's clock, or silence."""
        self._clock_us += PIECE_MS * US_PER_MS
        until = self._clock_us * ROOM_RATE_HZ // US_PER_S
        played = self._queue.take(until)
        return self._volume.applied(played, until - samples_in(played)).rjust(PIECE_BYTES, b"\0")[-PIECE_BYTES:]
