"""soxr's stream as a resampler: for audio that is not live, because it holds back up to 171 ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import soxr

from webapi.voice_node.audio.samples import to_float, to_int16, whole_samples
from webapi.voice_node.errors import UserError

SOXR_QUALITIES = {"soxr-qq": "QQ", "soxr-lq": "LQ", "soxr-mq": "MQ", "soxr-hq": "HQ", "soxr-vhq": "VHQ"}


class SoxrStream:
    """Resamples int16 PCM. It holds back 0 ms (QQ, which has no alias filter) to 171 ms (HQ), in bursts.

    In all, n samples give ceil(n · rate_out / rate_in), as an aligned Fir does. The constructor raises UserError for a
    rate of 0 Hz or less. `quality` is one of soxr's.
    """

    def __init__(self, rate_in: int, rate_out: int, quality: str) -> None:
        if min(rate_in, rate_out) <= 0:
            raise UserError(f"{rate_in} Hz to {rate_out} Hz: rates are above 0")
        self._rate_in, self._rate_out = rate_in, rate_out
        # soxr has annotations on its functions, but none on this class.
        stream: Any = soxr.ResampleStream
        self._make: Callable[[], Any] = lambda: stream(rate_in, rate_out, 1, dtype="float32", quality=quality)
        self.reset()

    def reset(self) -> None:
        """Start again: silence before, nothing pending."""
        self._stream = self._make()
        self._odd = b""
        self._taken = self._given = 0

    def push(self, pcm: bytes) -> bytes:
        """Return what soxr gives. Half a sample waits for its other half."""
        samples, self._odd = whole_samples(self._odd, pcm)
        self._taken += len(samples)
        out = to_int16(self._stream.resample_chunk(to_float(samples)))
        self._given += len(out)
        return out.tobytes()

    def flush(self) -> bytes:
        """Return what soxr held back, to the exact length, and start again. Half a sample that waits is dropped."""
        missing = -(-self._taken * self._rate_out // self._rate_in) - self._given
        rest = to_int16(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))[:missing]
        self.reset()
        return rest.tobytes().ljust(2 * missing, b"\0")
