"""Counts what LiveKit's audio queue has played. The library does not tell, but it takes 10 ms of audio every 10 ms.

Measured with livekit 1.1.21: the ticks of an `AudioSource` keep their phase as long as it lives, also over stalls (it
catches up); a rest of less than 10 ms stays in the queue until more comes; a `capture_frame` that finds the queue full
returns just after a tick. So the ticks can be found by filling the queue, and the samples counted from then on.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ

TICK_S = 0.010
TICK_BYTES = ROOM_RATE_HZ // 100 * BYTES_PER_SAMPLE  # 10 ms
LATE_S = 0.0002  # how long after its tick a `capture_frame` returns in most cases, where the queue was full
UNSURE_S = 0.0005  # within this time of a tick it is not known whether the tick has happened


class Ticks:
    """The times at which audio is taken from the queue. `stamps` (monotonic seconds) were each just after a tick."""

    def __init__(self, stamps: Sequence[float]) -> None:
        last_s = stamps[-1]
        around = [(stamp - last_s + TICK_S / 2) % TICK_S - TICK_S / 2 for stamp in stamps]
        self._origin_s = last_s + statistics.median(around) - LATE_S

    def count(self, at_s: float) -> int:
        """The number of ticks up to a time, counted from a fixed one."""
        return int((at_s - self._origin_s) // TICK_S)

    def wait_s(self, at_s: float) -> float:
        """Seconds until the number of ticks is known for sure: 0 in most cases, 1 ms at most."""
        past_s = (at_s - self._origin_s + UNSURE_S) % TICK_S
        return max(0.0, 2 * UNSURE_S - past_s)


class TrackQueue:
    """The audio in the queue: 48 kHz int16 mono. Times are monotonic seconds, and must not go back between calls."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._counted = 0
        self._left = bytearray()

    def left(self, at_s: float) -> bytearray:
        """The audio that is not played yet."""
        count = self._ticks.count(at_s)
        takes = max(0, count - self._counted)
        del self._left[: min(takes, len(self._left) // TICK_BYTES) * TICK_BYTES]
        self._counted += takes
        return self._left

    def put(self, pcm: bytes, at_s: float) -> None:
        """Add audio to the queue."""
        self.left(at_s).extend(pcm)

    def clear(self, at_s: float) -> bytes | None:
        """Empty the queue. Returns the audio that was in it; None where that is not known for sure."""
        left = bytes(self.left(at_s))
        self._left.clear()
        return None if self._ticks.wait_s(at_s) else left

    def wait_s(self, at_s: float) -> float:
        """Seconds to wait before audio is added, so that it is known at which tick the audio is taken."""
        return 0.0 if len(self.left(at_s)) >= TICK_BYTES else self._ticks.wait_s(at_s)
