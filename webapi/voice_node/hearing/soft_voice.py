"""A gain for soft voices: Silero finds a voice of -55 dBFS as well as one of -25, but only once it sounds as loud.

    loudest   the loudest window of late: it rises at once, and falls by 1 dB a window (31 dB a second)
    gain      TARGET / loudest, 1 to MOST, and not more than FLOOR / background

So a loud voice gets no gain, from its first window on, and a soft one gets it half a second after a loud one. The
background (the level that a fifth of the last five seconds was below) is never made louder than FLOOR: where there is
noise, nothing changes. Levels are powers in whole numbers; division, square root and product are exact to the last bit
on every machine (IEEE 754), so every machine computes the same.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.hearing.level_memory import LevelMemory, energy

FULL = 32768**2
TARGET = FULL // 3162  # -35 dBFS
FLOOR = FULL // 100_000  # -50 dBFS
SOFT_GAIN = 2.0  # 6 dB: with less of a gain, a voice is not soft
MOST = 250  # times the power: 24 dB
FALLS = 51, 64  # times the power, each window: -1 dB
MEMORY_MS = 5000  # as LevelGate's
SHARE = 5
CLEAR = 100  # times the power of the background: 20 dB


class SoftVoiceGain:
    """Takes windows of `window_ms`, in order. `clear`: the last one is CLEAR above the background."""

    def __init__(self, window_ms: int) -> None:
        self._background = LevelMemory(MEMORY_MS // window_ms, quiet=0)  # a room is noisy from the start
        self._loudest = TARGET
        self.clear = False

    def window(self, samples: NDArray[np.int16]) -> float:
        """The gain of one more window: a factor of 1 or more for its samples."""
        power = energy(samples) // len(samples) ** 2
        self._background.add(power)
        background = max(1, self._background.below(SHARE))
        self.clear = power >= CLEAR * background
        falls, of = FALLS
        self._loudest = max(power, self._loudest * falls // of, 1)
        most = max(1.0, FLOOR / background)
        return sqrt(min(max(1.0, TARGET / self._loudest), MOST, most))
