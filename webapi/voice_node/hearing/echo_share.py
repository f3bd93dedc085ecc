"""How much of what was heard is the bot's own voice: the share of its energy that what was played explains.

    y      the microphone, the last 300 ms
    x      what was played, from 600 ms before that on
    delay  where y is most like x: the highest energy in 16 ms of their whitened cross-correlation (Knapp & Carter 1976)
    share  of the energy of y, that is explained by x through a filter of 16 ms at that delay: least squares

An echo is what was played, filtered by a room. So as soon as a syllable has come back, a short filter of what was
played gives most of it, at any level and delay. No filter of the bot's voice gives a caller's. Where both are heard the
share is between. Unlike a canceller it needs no time to learn the way, as it begins anew with each 300 ms; and it
removes nothing. To look for the delay is two thirds of the work, so the one found last is tried first. Pure.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.events import ROOM_RATE_HZ

RATE_HZ = 4_000  # most of a voice's energy is below 2 kHz
FACTOR = ROOM_RATE_HZ // RATE_HZ
PIECE = RATE_HZ // 100  # samples of 10 ms
WINDOW = 30 * PIECE
LATEST = 60 * PIECE  # the longest delay
STEP = RATE_HZ // 500  # 2 ms: how finely the delay is looked for
TAPS = 8 * STEP
SIZE = 4096  # of the transforms: more than WINDOW + LATEST + TAPS, so that nothing wraps
FLATTER = 0.9  # pre-emphasis, so that the loudest vowel does not decide alone
WHITE = 0.7  # 1 would be PHAT: each frequency counts as much, also those at which nothing was played
LOW, HIGH = 150 * SIZE // RATE_HZ, 1_900 * SIZE // RATE_HZ  # the band in which the delay is looked for
RIDGE = 0.003  # of the power of x, as if it were noise: else what is not in x would be amplified
ENOUGH = 0.5  # of the energy, at the delay found last: no other is looked for
DISTANCE = np.abs(np.subtract.outer(np.arange(TAPS), np.arange(TAPS)))
MEAN = np.full(FACTOR, 1 / FACTOR)
Samples = NDArray[np.float64]


class EchoShare:
    """Takes pieces of 10 ms, in order."""

    def __init__(self) -> None:
        self._heard: Samples = np.zeros(WINDOW)
        self._played: Samples = np.zeros(LATEST + TAPS + WINDOW)
        self._waiting: deque[tuple[bytes, bytes]] = deque(maxlen=len(self._played) // PIECE + 1)  # until it is asked
        self._place: int | None = None  # the delay found last, as `_places` counts it

    def push(self, heard: bytes, played: bytes) -> None:
        """A piece of both: int16 mono at 48 kHz."""
        self._waiting.append((heard, played))

    def share(self) -> float:
        """0: nothing of the last 300 ms is the bot's voice; 1: all of it.

        Where it is above ENOUGH, another delay might explain more.
        """
        if self._waiting:
            heard, played = (b"".join(pieces) for pieces in zip(*self._waiting, strict=True))
            self._heard, self._played = _moved(self._heard, heard), _moved(self._played, played)
            self._waiting.clear()
        y, x = _flatter(self._heard), _flatter(self._played)
        energy = float(y @ y)
        if not energy or not x.any():
            return 0.0
        # Of independent sound too, so many taps explain TAPS / samples (Fisher's adjusted R²); of a few loud ones more.
        powers = np.square(y).reshape(-1, PIECE).sum(axis=1)
        chance = min(0.9, TAPS * float(powers @ powers) / (PIECE * energy * energy))

        def at(place: int) -> float:
            share = _explained(x[place : place + WINDOW + TAPS - 1], y) / energy
            return min(1.0, max(0.0, (share - chance) / (1 - chance)))

        kept = 0.0 if self._place is None else at(self._place)
        if kept >= ENOUGH:
            return kept
        share, place = max((at(place), place) for place in _places(x, y))
        self._place = place if share >= ENOUGH else None
        return max(share, kept)


def _moved(kept: Samples, pcm: bytes) -> Samples:
    """As many samples as are kept, the last of them from `pcm`. A mean is filter enough: both are treated alike."""
    return np.concatenate((kept, np.frombuffer(pcm, "<i2").astype(float).reshape(-1, FACTOR) @ MEAN))[-len(kept) :]


def _flatter(samples: Samples) -> Samples:
    """With pre-emphasis; the first, of which nothing is known before, is left out."""
    return np.concatenate(([0.0], samples[1:] - FLATTER * samples[:-1]))


def _places(x: Samples, y: Samples) -> set[int]:
    """Where y may be in x: where they are most alike, and where they are so for how loud x is there.

    Place k of the cross-correlation is the sum of y[j] x[j + k]: a delay of LATEST + TAPS - k.
    """
    cross = np.fft.rfft(x, SIZE)[LOW:HIGH] * np.fft.rfft(y, SIZE)[LOW:HIGH].conj()
    white = np.zeros(SIZE // 2 + 1, complex)
    white[LOW:HIGH] = cross / (np.abs(cross) + 1e-9) ** WHITE
    likeness = _sums(np.square(np.fft.irfft(white, SIZE)[: LATEST + TAPS]), TAPS)
    loud = _sums(np.square(x), WINDOW + TAPS)
    best, other = int(np.argmax(likeness)), int(np.argmax(likeness / (loud + 0.05 * loud.max())))
    return {best * STEP} if abs(best - other) < 2 else {best * STEP, other * STEP}


def _sums(values: Samples, length: int) -> Samples:
    """Of so many values, from every STEP-th on."""
    sums = np.concatenate(([0.0], values.reshape(-1, STEP).sum(axis=1).cumsum()))
    return sums[length // STEP :] - sums[: -(length // STEP)]


def _explained(x: Samples, y: Samples) -> float:
    """The energy of y that is x through a filter of TAPS: there is one product of x and y for each delay."""
    autocorrelation = np.correlate(np.concatenate((x, np.zeros(TAPS - 1))), x)
    autocorrelation[0] += RIDGE * autocorrelation[0] + 1.0
    products = np.correlate(x, y)
    return float(np.linalg.solve(autocorrelation[DISTANCE], products) @ products)
