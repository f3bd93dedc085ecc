"""Synthetic speech that a voice activity detector takes for speech: a buzz through a throat, the same bytes always."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
PITCH_HZ = 120.0
SYLLABLES_HZ = 4.0  # how often the loudness rises and falls
FORMANTS = ((730.0, 90.0), (1090.0, 110.0), (2440.0, 170.0))  # (centre, bandwidth) in Hz of an open "a"
PEAK = 12_000
FADE_S = 0.01  # no click at either end


@lru_cache(maxsize=32)
def vowel(seconds: float) -> bytes:
    """`seconds` of a long "a" as 48 kHz int16 mono PCM."""
    n = round(seconds * RATE_HZ)
    if n == 0:
        return b""
    t = np.arange(n) / RATE_HZ
    voice = np.zeros(n)
    for k in range(1, int(3800 / PITCH_HZ) + 1):  # the harmonics of a pulse train, as far as a telephone carries
        voice += _throat(k * PITCH_HZ) * np.sin(2 * np.pi * k * PITCH_HZ * t)
    voice *= 0.7 + 0.3 * np.sin(2 * np.pi * SYLLABLES_HZ * t)
    edge = min(n // 2, round(FADE_S * RATE_HZ))
    ramp = np.linspace(0, 1, edge, endpoint=False)
    voice[:edge] *= ramp
    voice[n - edge :] *= ramp[::-1]
    samples: NDArray[np.int16] = np.round(voice / _loudest() * PEAK).astype("<i2")
    return samples.tobytes()


def silence(seconds: float) -> bytes:
    """`seconds` of nothing, in the same form."""
    return bytes(2 * round(seconds * RATE_HZ))


def _throat(hz: float) -> float:
    """How loud a harmonic comes out of the mouth: resonances, over a glottis that falls with frequency."""
    gain = sum(1 / (1 + ((hz - centre) / (width / 2)) ** 2) ** 0.5 for centre, width in FORMANTS)
    return float(gain * (PITCH_HZ / hz) ** 0.5)


@lru_cache(maxsize=1)
def _loudest() -> float:
    """An upper bound of the sum: the same for every length, so that no length is louder than another."""
    return sum(_throat(k * PITCH_HZ) for k in range(1, int(3800 / PITCH_HZ) + 1))
