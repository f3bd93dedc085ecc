"""The live resampler: a linear-phase FIR filter, 4 ms late, with exact arithmetic.

It gives the same bits however the input was cut: taps are integers, samples are int16, and every sum of their products
is far below 2^53, so float64 holds it exactly. No order of summation and no processor can change a bit. (soxr's stream
holds audio back up to 171 ms, in bursts.)

Between 8 and 48 kHz, tests show for these taps: within 0.01 dB up to 3.4 kHz; at least 69 dB down from 4.0 kHz on
(0.1 dB down at 3.51 kHz, 3 dB at 3.67 kHz); every frequency is 4 ms late.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.audio.samples import whole_samples
from webapi.voice_node.errors import UserError

RATES_HZ = (8_000, 16_000, 24_000, 48_000)
DELAY_MS = 4  # half the filter's length: what it holds back
STOP_DB = 70.0  # attenuation of aliases and images; ≥ 60 is needed, the rest is margin for rounding the taps
TAP_BITS = 24  # taps are multiples of 2^-24: the largest sum needs 43 bits
TOGETHER = 8  # steps of the output that are computed as one row: that copies less, and multiplies 1/10 more
MAX_PRODUCT = 210_000  # multiplications in one product: for 2^18 and more BLAS starts threads, which cost more time
PRODUCTS = 4  # whose sums are rounded at once: one by one they take half as long again
Samples = NDArray[np.float64]


@lru_cache
def taps(rate_low: int, rate_high: int, delay_ms: int = DELAY_MS) -> Samples:
    """Return the low-pass filter between two rates in Hz, at the higher rate: integers as float64.

    A Kaiser window (Kaiser 1974; Oppenheim & Schafer, Discrete-Time Signal Processing, 7.5.3): beta from the stop
    band's attenuation, the width of the transition band from that and the length. The stop band begins at the lower
    rate's Nyquist frequency, so nothing aliases. Each phase sums to 2^TAP_BITS, so a constant stays that constant.
    """
    factor = rate_high // rate_low
    half = delay_ms * rate_high // 1000
    n = np.arange(-half, half + 1)
    beta = 0.1102 * (STOP_DB - 8.7)
    transition = (STOP_DB - 7.95) / (2.285 * 2 * half)  # radians a sample
    cutoff = np.pi / factor - transition / 2
    ideal = np.sinc(cutoff / np.pi * n) * cutoff / np.pi
    h = ideal * np.kaiser(2 * half + 1, beta)
    whole: Samples = np.round(h / h.sum() * factor * 2**TAP_BITS)
    # The remainder of the rounding goes to each phase's largest tap: half of it there and half to the tap's mirror
    # image, so that the filter stays symmetric (linear phase). Where that is another phase, it gives as much back.
    missing = [2**TAP_BITS - whole[phase::factor].sum() for phase in range(factor)]
    for phase, rest in enumerate(missing):
        peak = phase + factor * int(np.argmax(np.abs(whole[phase::factor])))
        whole[peak] += rest / 2
        whole[-1 - peak] += rest / 2
    whole.setflags(write=False)  # it is cached and shared
    return whole


@lru_cache
def matrix(rate_low: int, rate_high: int, up: int, down: int, delay_ms: int) -> Samples:
    """Return the taps as columns, the oldest input first: a row of inputs times this is TOGETHER times `up` outputs.

    Output m·up + p is the sum of inputs m·down, m·down − 1, … times taps p, p+up, …: a column a phase, and for each
    next m those columns `down` further down.
    """
    h = taps(rate_low, rate_high, delay_ms) / 2**TAP_BITS  # exact, as this is a power of two
    length = -(-len(h) // up)
    phases = np.concatenate((h, np.zeros(length * up - len(h)))).reshape(length, up)[::-1]
    columns: Samples = np.zeros((length + down * (TOGETHER - 1), TOGETHER * up))
    for i in range(TOGETHER):
        columns[i * down : i * down + length, i * up : (i + 1) * up] = phases
    columns.setflags(write=False)
    return columns


def fir_can(rate_in: int, rate_out: int) -> bool:
    """Whether Fir resamples between the two rates in Hz: both of RATES_HZ, one a multiple of the other."""
    low, high = sorted((rate_in, rate_out))
    return low != high and low in RATES_HZ and high in RATES_HZ and high % low == 0


class Fir:
    """Resamples a stream from `rate_in` to `rate_out`, two different ones of RATES_HZ. PCM is int16 mono.

    Every push gives its output at once: 10 ms at 48 kHz are 80 samples at 8 kHz. The output begins with 4 ms of
    silence, because the audio is 4 ms late. With `aligned`, that silence is left out, so that a whole piece of audio
    keeps its length: for audio that is ahead of its playout. `flush` gives what is held back, and starts again.

    In all, n samples give ceil(n · rate_out / rate_in), and without `aligned` 4 ms more. With a `delay_ms` of 2 instead
    of 4 it takes half the time, and less of the lower rate's band is flat: 1.1 kHz are lost instead of 0.54.
    With `silent`, all output is zeros, of the same lengths: for audio that nobody hears.
    The constructor raises UserError for other rates.
    """

    def __init__(
        self, rate_in: int, rate_out: int, *, aligned: bool = False, delay_ms: int = DELAY_MS, silent: bool = False
    ) -> None:
        low, high = sorted((rate_in, rate_out))
        if not fir_can(rate_in, rate_out):
            rates = ", ".join(map(str, RATES_HZ))
            means = f"goes from one of {rates} Hz to a multiple or a part of it"
            raise UserError(f"{rate_in} Hz to {rate_out} Hz: the fir resampler {means}")
        self._up, self._down = rate_out // low, rate_in // low
        self._delay = delay_ms * rate_out // 1000
        self._aligned = aligned
        self._silent = silent
        self._matrix = matrix(low, high, self._up, self._down, delay_ms)
        self._length = len(self._matrix) - self._down * (TOGETHER - 1)  # inputs that an output depends on
        self._rows = MAX_PRODUCT // self._matrix.size  # in one product
        self._block = PRODUCTS * self._rows * TOGETHER * self._down  # inputs filtered at a time
        self._beyond = np.zeros(self._down * (TOGETHER - 1))
        self.reset()

    def reset(self) -> None:
        """Start again: silence before, nothing pending."""
        self._history: Samples = np.zeros(self._length - 1)
        self._next = 0  # where the next output's last input is, counted from the first sample of the next push
        self._odd = b""
        self._taken = self._given = 0
        self._skip = self._delay if self._aligned else 0

    def push(self, pcm: bytes) -> bytes:
        """Return the output of this input. Half a sample waits for its other half."""
        samples, self._odd = whole_samples(self._odd, pcm)
        self._taken += len(samples)
        out = self._filtered(samples)
        if self._skip:
            skipped = min(self._skip, len(out))
            out = out[skipped:]
            self._skip -= skipped
        self._given += len(out)
        return out.tobytes()

    def flush(self) -> bytes:
        """Return the rest, as if silence followed, and start again. Half a sample that still waits is dropped."""
        missing = -(-self._taken * self._up // self._down) - self._given + (0 if self._aligned else self._delay)
        out = self._filtered(np.zeros(-(-(missing + self._skip) * self._down // self._up), "<i2"))[self._skip :][
            :missing
        ]
        self.reset()
        return out.tobytes()

    def _filtered(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        if self._silent:
            return self._silence(samples)
        return self._run(samples) if len(samples) <= self._block else self._run_long(samples)

    def _run_long(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        blocks = [samples[at : at + self._block] for at in range(0, len(samples), self._block)]
        return np.concatenate([self._run(block) if self._sounds(block) else self._silence(block) for block in blocks])

    def _sounds(self, samples: NDArray[np.int16]) -> bool:
        # Of sound, the last sample is seldom zero. (`any` takes three times as long as `count_nonzero`.)
        return bool(samples[-1] or np.count_nonzero(samples) or np.count_nonzero(self._history))

    def _silence(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """As `_run`, where the input and all that came before it are zeros: nothing needs to be multiplied."""
        count = max(0, -(-(len(samples) - self._next) // self._down))
        self._next += count * self._down - len(samples)
        return np.zeros(count * self._up, "<i2")

    def _run(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        at_hand: Samples = np.concatenate((self._history, samples, self._beyond))
        self._history = at_hand[len(samples) : len(samples) + self._length - 1]
        if self._next >= len(samples):
            self._next -= len(samples)
            return np.zeros(0, "<i2")
        # A row is a view of the inputs that its outputs depend on; sliding_window_view takes longer than the sums.
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
        # Exact; `@` does not reach BLAS with such a view.
        if rows <= self._rows:
            sums = np.dot(windows, self._matrix).ravel()
        else:
            starts = range(0, rows, self._rows)
            sums = np.concatenate([np.dot(windows[at : at + self._rows], self._matrix).ravel() for at in starts])
        if self._down > 1:
            sums /= self._down  # the taps have that gain, which is right for the other direction
        sums += 0.5
        np.floor(sums, out=sums)
        sums.clip(-32768, 32767, out=sums)
        out: NDArray[np.int16] = sums.astype("<i2")[: count * self._up]
        return out
