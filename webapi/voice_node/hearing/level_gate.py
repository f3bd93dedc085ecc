"""Whether the caller is louder than the background. It looks at levels only, not at speech.

In a room full of voices a voice detector finds all of them. The caller is told from the others by level: they are
nearer to the microphone. The background is the level that a fifth of the last five seconds stayed below. How much
louder than that a voice must be depends on how steady the background is: a fan differs from a voice by its sound, but
other voices differ from the caller's by level alone.

    swing    = usual / least      usual: the level that a fifth of the memory is below; least: a twentieth
    begins   level >= usual * min(swing ** 3, 5)      5 is 7 dB
    goes on  level >= usual * min(swing, 2)           2 is 3 dB

The swing is 0.3 to 1 dB in noise and 2 to 6 dB among people. So steady noise, however loud, hides no voice, and no gain
has to be set. A background that becomes louder is the new background four seconds later. At the start the background
counts as silent, so that a caller who speaks at once is heard. (After Martin 2001, "Noise power spectral density
estimation based on optimal smoothing and minimum statistics", which takes the minimum; a fifth needs no correction of
its bias.)

A bang is over before a voice detector has finished judging it. A frame has `fallen` where its level is 15 dB below the
loudest of the last 200 ms: with it only what the detector is very sure of begins at once (vad.py).

All in whole numbers, so that every machine gives the same result.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from webapi.voice_node.hearing.level_memory import LevelMemory, energy

BEGINS, GOES_ON = 5, 2  # times the power of the background, at most: 7 dB and 3 dB
SWING = 3  # times the swing of the background, in dB
KEEPS = 0.75  # weight of what may keep an utterance open and not begin one: START x KEEPS is END
MEMORY_MS = 5000
QUIET_MS = 400  # of silence in the memory at first: noise from the start on is the background after 1.6 s
SHARE, LEAST = 5, 20  # the background is the level that 1/SHARE of the memory is below; at its quietest, 1/LEAST
SMOOTH_MS = 60  # of audio that one level is measured over
FALLEN = 32  # times less power than the loudest of late: 15 dB
HOLD_MS = 200  # a level that was high enough counts for so long, so that a weak syllable ends nothing


class LevelGate:
    """Weighs frames in order. `frame_ms` is the length of each. `fallen`: the last frame's sound is over."""

    def __init__(self, frame_ms: int) -> None:
        self._last: deque[int] = deque([0] * max(1, SMOOTH_MS // frame_ms), max(1, SMOOTH_MS // frame_ms))
        self._memory = LevelMemory(MEMORY_MS // frame_ms, QUIET_MS // frame_ms)
        self._hold = HOLD_MS // frame_ms
        self._lately: deque[int] = deque([0], self._hold + 1)
        self.fallen = False
        self._begun = self._went_on = self._hold  # frames since a level was high enough

    def weight(self, frame: bytes) -> float:
        """Weight (0 to 1) of a voice in this frame (int16 mono): 1; KEEPS where it is too soft to begin; or 0."""
        self._last.append(energy(np.frombuffer(frame, "<i2")))
        level = sum(self._last)
        self._memory.add(level)
        self._lately.append(level)
        self.fallen = level * FALLEN < max(self._lately)
        usual, least = self._memory.below(SHARE), self._memory.below(LEAST)
        # level / usual >= (usual / least) ** SWING, without a division
        begins = level >= BEGINS * usual or level * least**SWING >= usual ** (SWING + 1)
        goes_on = level >= GOES_ON * usual or level * least >= usual * usual
        self._begun = 0 if begins else self._begun + 1
        self._went_on = 0 if goes_on else self._went_on + 1
        return 1.0 if self._begun < self._hold else KEEPS if self._went_on < self._hold else 0.0
