"""How long this caller's pauses are: a smoothed mean and a smoothed deviation, as TCP estimates round-trip times. Pure.

    error      = pause - mean
    mean      += error / 8
    deviation += (|error| - deviation) / 4
    hold       = mean + 4 · deviation

(Jacobson 1988, "Congestion avoidance and control", appendix A, with its integers; RFC 6298. The first pause is the
mean, and half of it the deviation.) All in frames, so that a replay gives the same.
"""

from __future__ import annotations

from typing import NamedTuple


class PauseEstimate(NamedTuple):
    """Eight times the mean, and four times the deviation, in frames."""

    mean8: int
    deviation4: int

    @property
    def hold(self) -> int:
        """Unvoiced frames after which this caller has probably finished."""
        return (self.mean8 >> 3) + self.deviation4


def update(before: PauseEstimate | None, pause: int) -> PauseEstimate:
    """The estimate after one more pause of so many frames."""
    if before is None:
        return PauseEstimate(8 * pause, 2 * pause)
    error = pause - (before.mean8 >> 3)
    return PauseEstimate(before.mean8 + error, before.deviation4 + abs(error) - (before.deviation4 >> 2))
