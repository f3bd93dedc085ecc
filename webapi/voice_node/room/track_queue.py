"""What livekit's queue has played. The library doesn't say, but it keeps time: it takes 10 ms of audio every 10 ms.

Measured with livekit 1.1.21: its ticks stay where they are for as long as an `AudioSource` lives, also over stalls (it
catches up); a rest of less than 10 ms stays in the queue until more comes; a `capture_frame` that finds the queue full
returns just after a tick. So the ticks can be learnt by filling the queue, and the samples counted from then on.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

TICK_S = 0.010
TICK_BYTES = 960  # 10 ms of 48 kHz int16 mono
LATE_S = 0.0002  # how long after its tick a full `capture_frame` returns, mostly
UNSURE_S = 0.0005  # so near to a tick it can't be said whether it was


class Ticks:
    """When the queue is taken from, learnt from moments (monotonic seconds) each of which was just after a tick."""

    def __init__(self, stamps: Sequence[float]) -> None:
        last_s = stamps[-1]
        around = [(stamp - last_s + TICK_S / 2) % TICK_S - TICK_S / 2 for stamp in stamps]
        self._origin_s = last_s + statistics.median(around) - LATE_S

    def count(self, at_s: float) -> int:
        """Ticks up to then, from any fixed one on."""
        return int((at_s - self._origin_s) // TICK_S)

    def wait_s(self, at_s: float) -> float:
        """How long until it is sure how many ticks there were: 0 nearly always, 1 ms at most."""
        past_s = (at_s - self._origin_s + UNSURE_S) % TICK_S
        return max(0.0, 2 * UNSURE_S - past_s)


class TrackQueue:
    """The audio that is in the queue."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._counted = 0
        self._left = bytearray()

    def left(self, at_s: float) -> bytearray:
        """What was not taken yet. It must be asked for in the order of time."""
        count = self._ticks.count(at_s)
        takes = max(0, count - self._counted)
        del self._left[: min(takes, len(self._left) // TICK_BYTES) * TICK_BYTES]
        self._counted += takes
        return self._left

    def put(self, pcm: bytes, at_s: float) -> None:
        """It is put into the queue."""
        self.left(at_s).extend(pcm)

    def clear(self, at_s: float) -> bytes | None:
        """The queue is emptied; what was in it, or None where that can't be said."""
        left = bytes(self.left(at_s))
        self._left.clear()
        return None if self._ticks.wait_s(at_s) else left

    def wait_s(self, at_s: float) -> float:
        """How long to wait with putting something in, so that it stays sure what is taken when."""
        return 0.0 if len(self.left(at_s)) >= TICK_BYTES else self._ticks.wait_s(at_s)
