"""Does something stand out of the background? Only levels, no speech: who talks far away is as quiet as any noise.

In a room full of voices a detector of voices is right and of no use: what tells the caller from the others is that the
caller is nearer, and so louder than what is there all the time. The background is the level that a fifth of the last
five seconds kept below; what is OVER of it or more stands out. It is relative, so no gain has to be set; it forgets, so
a background that becomes louder is the new one four seconds later; and before anything was heard all is quiet, so that
who talks at once is heard. (After Martin 2001, "Noise power spectral density estimation based on optimal smoothing and
minimum statistics", which takes the least; a fifth needs no correction of its bias.)

In whole numbers: the same on every machine.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

import numpy as np

OVER = 3.5  # in power: 5.4 dB. With 6 half of the callers at 0 dB go unheard; with 5, more of a room full of voices is
MEMORY_MS = 5000
QUIET_MS = 400  # remembered at first: a noise that was there from the start is the background after 1.6 s
SHARE = 5  # the background is the level that 1/SHARE of the memory is below
SMOOTH_MS = 60  # a level is that of so much audio
HOLD_MS = 200  # for so long what stood out still counts: a weak syllable is no end


class Background:
    """Asked frame by frame, in order. `frame_ms` is the length of each."""

    def __init__(self, frame_ms: int) -> None:
        self._last: deque[int] = deque([0] * max(1, SMOOTH_MS // frame_ms), max(1, SMOOTH_MS // frame_ms))
        self._longest = MEMORY_MS // frame_ms
        self._memory: deque[int] = deque([0] * (QUIET_MS // frame_ms))
        self._in_order = list(self._memory)
        self._hold = HOLD_MS // frame_ms
        self._since = self._hold  # frames since something stood out

    def stands_out(self, frame: bytes) -> bool:
        """Whether something did in the last HOLD_MS, this frame (int16 mono) included."""
        samples = np.frombuffer(frame, "<i2").astype(np.int64)
        self._last.append(int(np.dot(samples, samples)))
        level = sum(self._last)
        self._memory.append(level)
        insort(self._in_order, level)
        if len(self._memory) > self._longest:
            del self._in_order[bisect_left(self._in_order, self._memory.popleft())]
        background = self._in_order[len(self._in_order) // SHARE]
        self._since = 0 if level >= OVER * background else self._since + 1
        return self._since < self._hold
