"""A voice activity detector: every loud frame is voiced. An example, which works only in a quiet room."""

from __future__ import annotations

import numpy as np

LOUD_DBFS = -40.0
FULL_SCALE = 32768.0


class Loud:
    """Made once for each caller, with the rate (Hz) and the frame length (ms), and asked for each frame, in order."""

    def __init__(self, rate: int, frame_ms: int) -> None:
        self._threshold = (FULL_SCALE * 10 ** (LOUD_DBFS / 20)) ** 2

    def is_speech(self, frame: bytes) -> bool:
        """Whether the mean power of `frame` (int16 mono) is above −40 dBFS."""
        samples = np.frombuffer(frame, "<i2").astype(np.float64)
        return bool((samples**2).mean() > self._threshold)
