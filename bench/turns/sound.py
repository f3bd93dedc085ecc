"""How an utterance sounds at its end: pitch, level, and rate. Pure; a few features that cost next to nothing.

People mark the end of a turn with their voice: pitch and level fall, the last syllable is drawn out (Duncan 1972,
Gravano & Hirschberg 2011). The features here are the plainest of these. `Fit` weighs them by logistic regression.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.end_of_turn import Said

Floats = NDArray[np.float64]

FEATURES = ("pitch_fall_st", "level_fall_db", "syllables_s")
HOP_S, WINDOW_S = 0.01, 0.04
LOWEST_HZ, HIGHEST_HZ = 70.0, 400.0
PERIODIC = 0.5  # a frame has a pitch where its autocorrelation has such a peak
FIRST = 0.85  # of the highest peak: the first that is so high is the period
SPEECH_BELOW_DB = 30.0  # a frame is speech that is at most so far below the loud ones
TAIL_S = 0.2  # the end of the utterance
NEWTON_STEPS, RIDGE = 20, 1.0


class Fit(NamedTuple):
    """Weights of standardised features. `likely` gives the probability of an end."""

    mean: Floats
    deviation: Floats
    weights: Floats  # one more than features: the last is the constant

    def likely(self, features: Floats) -> Floats:
        """The probability of each row."""
        scaled = (features - self.mean) / self.deviation
        return _sigmoid(np.c_[scaled, np.ones(len(scaled))] @ self.weights)


def fit(features: Floats, ends: NDArray[np.bool_], weights: Floats) -> Fit:
    """Logistic regression with a ridge, by Newton's method. `weights`: how much each row counts."""
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    x = np.c_[(features - mean) / deviation, np.ones(len(features))]
    w = np.zeros(x.shape[1])
    ridge = RIDGE * np.diag([1.0] * (x.shape[1] - 1) + [0.0])
    for _ in range(NEWTON_STEPS):
        likely = _sigmoid(x @ w)
        slope = x.T @ (weights * (likely - ends)) + ridge @ w
        bend = (x * (weights * likely * (1 - likely))[:, None]).T @ x + ridge + 1e-9 * np.eye(len(w))
        w = w - np.linalg.solve(bend, slope)
    return Fit(mean, deviation, w)


def features(said: Said) -> Floats:
    """FEATURES of an utterance and the pause after it.

    How many semitones the pitch of the last TAIL_S is below the utterance's median; how many dB its level is below
    the loud frames'; syllables a second, by the peaks of the level. How long somebody has spoken is left out: where
    turns are put together, that says how many parts they have.
    """
    samples = np.frombuffer(said.pcm, "<i2") / 32768
    hop, window = round(HOP_S * said.rate), round(WINDOW_S * said.rate)
    if len(samples) < 2 * window:
        return np.zeros(len(FEATURES))
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    loud = float(np.percentile(level, 95))
    at = np.flatnonzero(level > loud - SPEECH_BELOW_DB)
    tail = at[at > at[-1] - round(TAIL_S / HOP_S)]
    pitches = pitch(frames[at], said.rate)
    final = pitches[-len(tail) :]
    known, known_end = pitches[pitches > 0], final[final > 0]
    fall = 12 * np.log2(np.median(known) / np.median(known_end)) if len(known_end) else 0.0
    smooth = np.convolve(level, np.ones(5) / 5, "same")
    peaks = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]) & (smooth[1:-1] > loud - SPEECH_BELOW_DB / 2)
    spoken_s = len(at) * HOP_S
    return np.array([fall, loud - float(level[tail].mean()), float(peaks.sum()) / spoken_s])


def pitch(frames: Floats, rate: int) -> Floats:
    """The pitch of each frame in Hz by its autocorrelation; 0 where it has none."""
    shortest, longest = round(rate / HIGHEST_HZ), round(rate / LOWEST_HZ)
    centred = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * frames.shape[1], axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : longest + 1]
    correlation /= correlation[:, :1] + 1e-12
    correlation /= 1 - np.arange(longest + 1) / frames.shape[1]  # the window's own fall
    inner = correlation[:, shortest:-1]
    peak = (inner >= correlation[:, shortest - 1 : -2]) & (inner >= correlation[:, shortest + 1 :])
    best = np.where(peak, inner, 0.0).max(axis=1)
    high = peak & (inner >= FIRST * best[:, None])
    lag = shortest + high.argmax(axis=1)  # the first of the high peaks: the others are multiples of the period
    return np.where(best >= PERIODIC, rate / lag, 0.0)


def _sigmoid(x: Floats) -> Floats:
    out: Floats = 1 / (1 + np.exp(-np.clip(x, -40, 40)))
    return out
