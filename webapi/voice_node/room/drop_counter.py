"""Something to count that may happen fifty times a second, and is to be told of less often."""

from __future__ import annotations

import time
from collections.abc import Callable


class DropCounter:
    """Counts, and says how many at most once a second: one that falls behind drops something with every frame."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic, every_s: float = 1.0) -> None:
        self._clock_s = clock_s
        self._every_s = every_s
        self._said_s = -every_s
        self._count = 0

    def add(self, count: int) -> int:
        """So many more; how many to tell of now, 0 for none."""
        self._count += count
        if not self._count:
            return 0
        now_s = self._clock_s()
        if now_s - self._said_s < self._every_s:
            return 0
        self._said_s = now_s
        return self.rest()

    def rest(self) -> int:
        """What was not told yet."""
        count, self._count = self._count, 0
        return count
