"""The live resampler: a linear-phase FIR in exact arithmetic, 4 ms behind, the same bits however the input is cut.

Why not soxr's stream: it holds audio back up to 171 ms, in bursts. Why exact: taps are integers, samples are int16,
and every sum of their products stays far below 2^53, so float64 holds it exactly. No order of summation, no processor
and no cutting of the input can change a bit.

Between 8 and 48 kHz, as the tests prove of these very taps: within 0.01 dB up to 3.4 kHz; at least 69 dB down from
4.0 kHz on, everywhere (0.1 dB down at 3.51 kHz, 3 dB at 3.67); every frequency 4 ms late, neither more nor less.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.errors import UserError

RATES_HZ = (8_000, 16_000, 48_000)
DELAY_MS = 4  # half the filter's length: what it holds back
STOP_DB = 70.0  # how far aliases and images are below; ≥ 60 is wanted, the rest is margin for rounding the taps
TAP_BITS = 24  # taps are multiples of 2^-24: the largest sum needs 43 bits
TOGETHER = 8  # steps of the output that are computed as one row: the product copies less, and multiplies 1/10 more
MOST = 210_000  # multiplications in a product: of 2^18 and more BLAS makes threads, which cost more than they do
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
    # The rounding's remainder goes to each phase's largest tap: half of it there and half to the tap's mirror image, so
    # that the filter stays symmetric (linear phase). Where that is another phase, it gives as much back.
    missing = [2**TAP_BITS - whole[phase::factor].sum() for phase in range(factor)]
    for phase, rest in enumerate(missing):
        peak = phase + factor * int(np.argmax(np.abs(whole[phase::factor])))
        whole[peak] += rest / 2
        whole[-1 - peak] += rest / 2
    whole.setflags(write=False)  # it is cached, and shared by all
    return whole


@lru_cache
def matrix(rate_low: int, rate_high: int, up: int, down: int) -> Samples:
    """The taps as columns, oldest input first: a row of inputs times this is TOGETHER times `up` outputs.

    Output m·up + p is the sum of inputs m·down, m·down − 1, … times taps p, p+up, …: a column a phase, and for each
    next m those columns `down` further down.
    """
    h = taps(rate_low, rate_high) / 2**TAP_BITS  # exact, as this is a power of two
    length = -(-len(h) // up)
    phases = np.concatenate((h, np.zeros(length * up - len(h)))).reshape(length, up)[::-1]
    columns: Samples = np.zeros((length + down * (TOGETHER - 1), TOGETHER * up))
    for i in range(TOGETHER):
        columns[i * down : i * down + length, i * up : (i + 1) * up] = phases
    columns.setflags(write=False)
    return columns


def whole_samples(held: bytes, pcm: bytes) -> tuple[NDArray[np.int16], bytes]:
    """The samples in `held + pcm`, and the half sample that is left over: empty, or a byte to hold until the next."""
    if held:
        pcm = held + pcm
    if len(pcm) % 2:
        return np.frombuffer(pcm[:-1], "<i2"), pcm[-1:]
    return np.frombuffer(pcm, "<i2"), b""


class Fir:
    """`rate_in` to `rate_out` as a stream, two different ones of RATES_HZ. PCM is int16 mono.

    Every push gives what its input reaches: 10 ms at 48 kHz are 80 samples at 8 kHz, at once. What is heard in them is
    4 ms old. With `aligned`, those first 4 ms of nothing are left out, so that a whole piece of audio comes out as long
    as it went in: for audio that is ahead of its playing anyway. `flush` gives what is held back, and begins anew.

    In all, n samples give ceil(n · rate_out / rate_in), and those 4 ms more where they are not left out.
    """

    def __init__(self, rate_in: int, rate_out: int, *, aligned: bool = False) -> None:
        low, high = sorted((rate_in, rate_out))
        if low == high or low not in RATES_HZ or high not in RATES_HZ:
            rates = ", ".join(map(str, RATES_HZ))
            raise UserError(f"{rate_in} Hz to {rate_out} Hz: the fir resampler goes from one of {rates} Hz to another")
        self._up, self._down = rate_out // low, rate_in // low
        self._delay = DELAY_MS * rate_out // 1000
        self._aligned = aligned
        self._matrix = matrix(low, high, self._up, self._down)
        self._length = len(self._matrix) - self._down * (TOGETHER - 1)  # inputs that an output hears
        self._block = MOST // self._matrix.size * TOGETHER * self._down  # inputs filtered at a time
        self._beyond = np.zeros(self._down * (TOGETHER - 1))
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
        samples, self._odd = whole_samples(self._odd, pcm)
        self._taken += len(samples)
        out = self._run(samples) if len(samples) <= self._block else self._run_long(samples)
        if self._skip:
            skipped = min(self._skip, len(out))
            out = out[skipped:]
            self._skip -= skipped
        self._given += len(out)
        return out.tobytes()

    def flush(self) -> bytes:
        """The rest, as if silence followed; then begin anew. Half a sample that still waits is dropped."""
        missing = -(-self._taken * self._up // self._down) - self._given + (0 if self._aligned else self._delay)
        out = self._run(np.zeros(-(-(missing + self._skip) * self._down // self._up), "<i2"))[self._skip :][:missing]
        self.reset()
        return out.tobytes()

    def _run_long(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        block = self._block
        return np.concatenate([self._run(samples[at : at + block]) for at in range(0, len(samples), block)])

    def _run(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        at_hand: Samples = np.concatenate((self._history, samples, self._beyond))
        self._history = at_hand[len(samples) : len(samples) + self._length - 1]
        if self._next >= len(samples):
            self._next -= len(samples)
            return np.zeros(0, "<i2")
        # A row holds the inputs that its outputs hear, as a view; sliding_window_view takes longer than the sums.
        count = -(-(len(samples) - self._next) // self._down)
        rows, step = -(-count // TOGETHER), at_hand.itemsize
        windows: Samples = np.ndarray(
            (rows, len(self._matrix)),
            np.float64,
            at_hand,
            self._next * step,
            (self._down * TOGETHER * step, step),
        )
        self._next += count * self._down - len(samples)
        sums = np.dot(windows, self._matrix).ravel()  # exact; `@` does not reach BLAS with such a view
        if self._down > 1:
            sums /= self._down  # the taps are as many times too loud: right for going up
        sums += 0.5
        np.floor(sums, out=sums)
        sums.clip(-32768, 32767, out=sums)
        out: NDArray[np.int16] = sums.astype("<i2")[: count * self._up]
        return out
