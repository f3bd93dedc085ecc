"""Does something stand out of the background? Only levels, no speech: who talks far away is as quiet as any noise.

In a room full of voices a detector of voices is right and of no use: what tells the caller from the others is that the
caller is nearer, and so louder than what is there all the time. The background is the level that a fifth of the last
five seconds kept below. How much louder something must be depends on how steady that background is: a fan is told from
a voice by its sound, a voice from voices only by its level. What a fifth and a twentieth of the time kept below are
0.3 to 1 dB apart in noise, 2 to 6 dB among people. Three times that, and 7 dB at most, is a beginning; that itself,
and 3 dB at most, goes on. So steady noise, however loud, hides no voice, and no gain has to be set.

It forgets: a background that becomes louder is the new one four seconds later. Before anything was heard all is quiet:
who talks at once is heard. (After Martin 2001, "Noise power spectral density estimation based on optimal smoothing and
minimum statistics", which takes the least; a fifth needs no correction of its bias.)

In whole numbers: the same on every machine.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

import numpy as np

BEGINS, GOES_ON = 5, 2  # in power, of the background, at most: 7 dB and 3 dB
SWING = 3  # times what the background swings by, in dB
KEEPS = 0.75  # what a probability is worth that may keep a turn open and not begin one: 1 is between END and START
MEMORY_MS = 5000
QUIET_MS = 400  # remembered at first: a noise that was there from the start is the background after 1.6 s
SHARE, LEAST = 5, 20  # the background is the level that 1/SHARE of the memory is below; at its quietest, 1/LEAST
SMOOTH_MS = 60  # a level is that of so much audio
HOLD_MS = 200  # for so long what stood out still counts: a weak syllable is no end


class LevelGate:
    """Asked frame by frame, in order. `frame_ms` is the length of each."""

    def __init__(self, frame_ms: int) -> None:
        self._last: deque[int] = deque([0] * max(1, SMOOTH_MS // frame_ms), max(1, SMOOTH_MS // frame_ms))
        self._longest = MEMORY_MS // frame_ms
        self._memory: deque[int] = deque([0] * (QUIET_MS // frame_ms))
        self._in_order = list(self._memory)
        self._hold = HOLD_MS // frame_ms
        self._begun = self._went_on = self._hold  # frames since something did

    def weight(self, frame: bytes) -> float:
        """What a voice in this frame (int16 mono) is worth: 1, or KEEPS where it is too soft to begin, or 0."""
        samples = np.frombuffer(frame, "<i2").astype(np.int64)
        offset = int(samples.sum())  # a cheap sound card has one; it is no sound
        self._last.append(int(np.dot(samples, samples)) * len(samples) - offset * offset)
        level = sum(self._last)
        self._memory.append(level)
        insort(self._in_order, level)
        if len(self._memory) > self._longest:
            del self._in_order[bisect_left(self._in_order, self._memory.popleft())]
        usual, least = (self._in_order[len(self._in_order) // share] for share in (SHARE, LEAST))
        # level / usual >= (usual / least) ** SWING, without a division
        begins = level >= BEGINS * usual or level * least**SWING >= usual ** (SWING + 1)
        goes_on = level >= GOES_ON * usual or level * least >= usual * usual
        self._begun = 0 if begins else self._begun + 1
        self._went_on = 0 if goes_on else self._went_on + 1
        return 1.0 if self._begun < self._hold else KEEPS if self._went_on < self._hold else 0.0
