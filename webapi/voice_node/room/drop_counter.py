"""Counts what is dropped, for a log line once a second and not one for each frame."""

from __future__ import annotations

import time
from collections.abc import Callable


class DropCounter:
    """A count that is reported at most once in `every_s` seconds."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic, every_s: float = 1.0) -> None:
        self._clock_s = clock_s
        self._every_s = every_s
        self._reported_s = -every_s
        self._count = 0

    def add(self, count: int) -> int:
        """Add to the count. Returns the number to report now; 0 where there is none, or it is too soon."""
        self._count += count
        if not self._count:
            return 0
        now_s = self._clock_s()
        if now_s - self._reported_s < self._every_s:
            return 0
        self._reported_s = now_s
        return self.rest()

    def rest(self) -> int:
        """The number that was not reported yet; the count begins again at 0."""
        count, self._count = self._count, 0
        return count
