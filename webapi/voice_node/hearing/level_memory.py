"""The levels of the last seconds, in order of their loudness: what part of the time was below which level."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

import numpy as np
from numpy.typing import NDArray


def energy(samples: NDArray[np.int16]) -> int:
    """The energy of the samples, times their number. A DC offset, as cheap sound cards have it, is not sound."""
    whole = samples.astype(np.int64)
    offset = int(whole.sum())
    return int(np.dot(whole, whole)) * len(whole) - offset * offset


class LevelMemory:
    """Remembers the last `longest` levels.

    At first it has `quiet` levels of 0: what is loud from the start on counts as loud until it has outnumbered them.
    """

    def __init__(self, longest: int, quiet: int) -> None:
        self._longest = longest
        self._levels: deque[int] = deque([0] * quiet)
        self._in_order = list(self._levels)

    def add(self, level: int) -> None:
        """One more level."""
        self._levels.append(level)
        insort(self._in_order, level)
        if len(self._levels) > self._longest:
            del self._in_order[bisect_left(self._in_order, self._levels.popleft())]

    def below(self, share: int) -> int:
        """The level that 1/`share` of the memory is below."""
        return self._in_order[len(self._in_order) // share]
