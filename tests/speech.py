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


VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (570, 840, 2410), (300, 870, 2240))
CHATTER = (0, 4, 1, 2, 2, 0, 1, 1)  # one after the other, 200 ms each


@lru_cache(maxsize=4)
def chatter(seconds: float) -> bytes:
    """As `vowel`, but of syllables whose pitch and vowels wander, a hiss before each: speech for Silero, too."""
    n = round(seconds * RATE_HZ)
    t = np.arange(n) / RATE_HZ
    pitch = 130 * 2 ** (0.25 * np.sin(2 * np.pi * 0.7 * t) + 0.05 * np.sin(2 * np.pi * 5.3 * t) - 0.1 * (t % 2))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    number, within = np.divmod(t / 0.2, 1)
    order = np.array([VOWELS[CHATTER[int(k) % len(CHATTER)]] for k in range(int(seconds / 0.2) + 2)], float)
    k = number.astype(int)
    glide = np.minimum(within * 2, 1)[:, None]
    formants = order[k] * glide + order[np.maximum(k - 1, 0)] * (1 - glide)
    voice = np.zeros(n)
    for h in range(1, 31):
        hz = h * pitch
        gain = sum(0.8**j / np.sqrt(1 + ((hz - formants[:, j]) / (45 + 20 * j)) ** 2) for j in range(3))
        voice += np.where(hz < 3800, gain / h**0.7, 0) * np.sin(h * phase)
    voice *= 0.15 + 0.85 * np.sin(np.pi * within) ** 0.7
    hiss = np.diff(np.random.default_rng(1).standard_normal(n // 3 + 1)).repeat(3)
    voice = voice / np.abs(voice).max() + 0.15 * np.pad(hiss, (0, n - len(hiss))) * (within < 0.18)
    samples: NDArray[np.int16] = np.round(voice / np.abs(voice).max() * PEAK).astype("<i2")
    return samples.tobytes()


@lru_cache(maxsize=4)
def dial_tone(seconds: float) -> bytes:
    """350 and 440 Hz: webrtc takes it for a voice, Silero does not."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    samples: NDArray[np.int16] = np.round(
        PEAK / 2 * (np.sin(2 * np.pi * 350 * t) + np.sin(2 * np.pi * 440 * t))
    ).astype("<i2")
    return samples.tobytes()


@lru_cache(maxsize=4)
def hum(seconds: float) -> bytes:
    """Mains hum, 50 Hz and its harmonics: webrtc takes it for a voice, Silero does not."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in range(1, 21))
    samples: NDArray[np.int16] = np.round(PEAK / 2 * wave).astype("<i2")
    return samples.tobytes()


@lru_cache(maxsize=4)
def babble(seconds: float) -> bytes:
    """Twenty voices at once, far away: a crowd."""
    one = np.frombuffer(chatter(seconds + 4), "<i2").astype(float)
    n = round(seconds * RATE_HZ)
    starts = np.random.default_rng(1).integers(0, 4 * RATE_HZ, 20)
    many = sum(one[start : start + n] for start in starts)
    samples: NDArray[np.int16] = np.round(many / np.abs(many).max() * PEAK / 4).astype("<i2")
    return samples.tobytes()
