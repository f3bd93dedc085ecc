"""The live resampler: a linear-phase FIR in exact arithmetic, 4 ms behind, the same bits however the input is cut.

Why not soxr's stream: it holds audio back up to 158 ms, in bursts. Why exact: taps are integers, samples are int16,
and every sum of their products stays far below 2^53, so float64 holds it exactly. No order of summation, no processor
and no cutting of the input can change a bit.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

TOP_HZ = 48_000  # the higher of two rates is filtered as if it were this
DELAY_MS = 4  # half the filter's length: what it holds back
STOP_DB = 70.0  # how far aliases and images are below; ≥ 60 is wanted, the rest is margin for rounding the taps
TAP_BITS = 24  # taps are multiples of 2^-24: 15 + 24 + 2 bits in the largest sum
Samples = NDArray[np.float64]


@lru_cache
def taps(rate_low: int, rate_high: int) -> Samples:
    """The low-pass between two rates, at the higher one, as whole numbers in float64.

    A Kaiser window (Kaiser 1974; Oppenheim & Schafer, Discrete-Time Signal Processing, 7.5.3): beta from the stop
    band's attenuation, the width of the transition band from that and the length. The stop band begins at the lower
    rate's Nyquist frequency: nothing is left to alias. Each phase sums to 2^TAP_BITS: a constant stays that constant.
    """
    factor = rate_high // rate_low
    half = DELAY_MS * rate_high // 1000
    n = np.arange(-half, half + 1)
    beta = 0.1102 * (STOP_DB - 8.7)
    transition = (STOP_DB - 7.95) / (2.285 * 2 * half)  # radians a sample
    cutoff = np.pi / factor - transition / 2
    ideal = np.sinc(cutoff / np.pi * n) * cutoff / np.pi
    h = ideal * np.kaiser(2 * half + 1, beta)
    whole: Samples = np.round(h / h.sum() * factor * 2**TAP_BITS)
    for phase in range(factor):  # the rounding's remainder goes to each phase's largest tap
        mine = np.arange(phase, len(whole), factor)
        whole[mine[np.argmax(np.abs(whole[mine]))]] += 2**TAP_BITS - whole[mine].sum()
    return whole


class Fir:
    """`rate_in` to `rate_out` as a stream, one of them a multiple of the other. PCM is int16 mono.

    Every push gives what its input reaches: 10 ms at 48 kHz are 80 samples at 8 kHz, at once. What is heard in them is
    4 ms old. With `aligned`, those first 4 ms of nothing are left out, so that a whole piece of audio comes out as long
    as it went in: for audio that is ahead of its playing anyway. `flush` gives what is held back, and begins anew.
    """

    def __init__(self, rate_in: int, rate_out: int, *, aligned: bool = False) -> None:
        low, high = sorted((rate_in, rate_out))
        if low <= 0 or gcd(low, high) != low:
            raise ValueError(f"{rate_in} Hz to {rate_out} Hz: one must be a multiple of the other")
        self._up, self._down = rate_out // low, rate_in // low
        self._delay = DELAY_MS * rate_out // 1000
        self._aligned = aligned
        # Output m·up + p is the sum of inputs m, m−1, … times taps p, p+up, …: a column a phase, oldest input first.
        h = taps(low, high)
        self._length = -(-len(h) // self._up)
        padded = np.concatenate((h, np.zeros(self._length * self._up - len(h))))
        self._phases = np.ascontiguousarray(padded.reshape(self._length, self._up)[::-1])
        self._scale = 2.0**TAP_BITS * self._down  # the taps are `factor` times too loud: right for going up
        self.reset()

    def reset(self) -> None:
        """Begin anew: silence before, nothing pending."""
        self._history: Samples = np.zeros(self._length - 1)
        self._next = 0  # where the next output's last input is, counted from the first sample of the next push
        self._odd = b""
        self._taken = self._given = 0
        self._skip = self._delay if self._aligned else 0

    def push(self, pcm: bytes) -> bytes:
        """What comes out for this much in. Half a sample waits for its other half."""
        if self._odd or len(pcm) % 2:
            pcm = self._odd + pcm
            whole = len(pcm) & ~1
            pcm, self._odd = pcm[:whole], pcm[whole:]
        samples = np.frombuffer(pcm, "<i2")
        self._taken += len(samples)
        out = self._run(samples)
        if self._skip:
            skipped = min(self._skip, len(out))
            out = out[skipped:]
            self._skip -= skipped
        self._given += len(out)
        return out.tobytes()

    def flush(self) -> bytes:
        """The rest, as if silence followed; then begin anew. In all: the input's length at the new rate, rounded up."""
        missing = -(-self._taken * self._up // self._down) - self._given + (0 if self._aligned else self._delay)
        out = self._run(np.zeros(-(-(missing + self._skip) * self._down // self._up), "<i2"))[self._skip :][:missing]
        self.reset()
        return out.tobytes()

    def _run(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        at_hand: Samples = np.concatenate((self._history, samples.astype(np.float64)))
        self._history = at_hand[len(samples) :]
        if self._next >= len(samples):
            self._next -= len(samples)
            return np.zeros(0, "<i2")
        # Row k holds the inputs that output k hears: a view, made directly: numpy's helpers cost more than the sums.
        count = -(-(len(samples) - self._next) // self._down)
        step = at_hand.itemsize
        windows: Samples = np.ndarray(
            (count, self._length), np.float64, at_hand, self._next * step, (self._down * step, step)
        )
        self._next += count * self._down - len(samples)
        sums = np.dot(windows, self._phases).ravel()  # exact; `@` does not reach BLAS with these: twice as long
        sums /= self._scale
        sums += 0.5
        np.floor(sums, out=sums)
        np.minimum(sums, 32767, out=sums)
        np.maximum(sums, -32768, out=sums)
        out: NDArray[np.int16] = sums.astype("<i2")
        return out
