"""How loud a caller is: against the background, and against how they speak usually. Pure.

A sound stands out if it is OUT_DB above the background, and no softer than what stood out just before without a voice
in it. The background is a lower envelope: it falls to a softer level in a few frames, and rises by 3 dB a second.

    level        5 5 6 48 50 49 5 5       dB above one step of int16
    background   5 5 5  5  5  5 5 5
    outstanding  0 0 0  1  2  3 0 0

Who only agrees says so more softly than they speak, so the level of each turn is kept. Both levels are means over
voiced frames; the usual one follows the caller from turn to turn, a quarter of the way each time.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

OUT_DB = 14  # above the background
LEAST_DB = 18  # of what stands out: -72 dBFS, softer is no caller
CLEAR_DB = 24  # above a quiet background: the caller, and not somebody behind them
QUIET_DB = 40  # of a background: -50 dBFS; above it, noise hides how far away a voice is
STEPS = 16  # a dB has
FALLS = 8  # the background goes 1 / FALLS of the way down in a frame, and one step up
SILENT_DB = -1  # of a frame without any sound: one of a single step has 0 or more
FOLLOWS = 4  # the usual level goes 1 / FOLLOWS of the way


class Loudness(NamedTuple):
    """Levels in dB above one step of int16, or in 1 / STEPS of that where it says so."""

    background: int | None = None  # in steps; None: no frame came yet
    vain: int = 0  # in steps: the level of what stood out in vain; falls by 3 dB a second
    outstanding: int = 0  # frames in a row that stand out
    first_us: int = 0  # arrival of the first of them
    usual_db: int | None = None  # None: no turn of the caller is over
    total_db: int = 0  # of the voiced frames of this utterance
    frames: int = 0  # how many these are

    def above(self, level: int) -> int:
        """How far a level is above the background, in dB; 0 where that is not known."""
        return 0 if self.background is None else level - self.background // STEPS

    def behind(self, level: int) -> bool:
        """Whether a voice with this level at its loudest hardly stands out, though the room is quiet."""
        return self.background is not None and self.background < QUIET_DB * STEPS and self.above(level) < CLEAR_DB

    @property
    def softer_db(self) -> int:
        """How much softer than usual this utterance is; 0 where that is not known."""
        return 0 if self.usual_db is None or not self.frames else self.usual_db - self.total_db // self.frames


def level_db(pcm: bytes) -> int:
    """The level of a frame (int16), in whole dB above one step."""
    samples = np.frombuffer(pcm, "<i2").astype(np.int64)
    power = int(samples.dot(samples)) // max(1, len(samples))
    return round(10 * math.log10(power)) if power else SILENT_DB


def frame(s: Loudness, level: int | None, t_us: int) -> Loudness:
    """One frame later, that arrived at `t_us` with a level in dB; None: that is not measured."""
    if level is None:
        return s
    _, vain, outstanding, first_us, usual_db, total_db, frames = s
    steps = level * STEPS
    background = steps if s.background is None else s.background
    background += (steps - background) // FALLS if steps < background else min(1, steps - background)
    least = max(background + OUT_DB * STEPS, LEAST_DB * STEPS, vain)
    outstanding = outstanding + 1 if steps >= least else 0
    first_us = t_us if outstanding == 1 else first_us
    return Loudness(background, max(0, vain - 1), outstanding, first_us, usual_db, total_db, frames)


def in_vain(s: Loudness, level: int) -> Loudness:
    """What stood out with this level was no voice."""
    return s._replace(vain=max(s.vain, level * STEPS))


def at_onset(s: Loudness) -> Loudness:
    """An utterance begins."""
    return s._replace(total_db=0, frames=0) if s.frames else s


def at_voice(s: Loudness, level: int | None) -> Loudness:
    """It has one more voiced frame, of a level in dB."""
    return s if level is None else s._replace(total_db=s.total_db + level, frames=s.frames + 1)


def at_turn(s: Loudness) -> Loudness:
    """It was a turn."""
    if not s.frames:
        return s
    now_db = s.total_db // s.frames
    usual_db = now_db if s.usual_db is None else s.usual_db + (now_db - s.usual_db) // FOLLOWS
    return s._replace(usual_db=usual_db, total_db=0, frames=0)
