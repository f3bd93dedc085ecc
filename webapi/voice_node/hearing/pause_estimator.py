"""How long this caller's pauses are, as TCP knows how long an answer takes: a smoothed mean, and a smoothed deviation.

    error      = pause - mean
    mean      += error / 8
    deviation += (|error| - deviation) / 4
    hold       = mean + 4 · deviation

(Jacobson 1988, "Congestion avoidance and control", appendix A, whose whole numbers these are; RFC 6298. The first pause
is the mean, and half of it the deviation.) All in frames: the same in a replay. Pure.
"""

from __future__ import annotations

from typing import NamedTuple


class PauseEstimate(NamedTuple):
    """What is remembered of them: eight times the mean, and four times the deviation."""

    mean8: int
    deviation4: int

    @property
    def hold(self) -> int:
        """Frames after which this caller has probably finished."""
        return (self.mean8 >> 3) + self.deviation4


def update(before: PauseEstimate | None, pause: int) -> PauseEstimate:
    """One pause of so many frames later."""
    if before is None:
        return PauseEstimate(8 * pause, 2 * pause)
    error = pause - (before.mean8 >> 3)
    return PauseEstimate(before.mean8 + error, before.deviation4 + abs(error) - (before.deviation4 >> 2))
