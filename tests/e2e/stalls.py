"""Machines that stand still: whoever talks in real time there loses words, which says nothing about the node."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from bench.stall_meter import Gap, StallMeter, touched

TAKES = 3

T = TypeVar("T")


class Takes:
    """Plays scenes again in which the machine stood still. `again` is how many times that was."""

    def __init__(self, gaps: Sequence[Gap]) -> None:
        self._gaps = gaps
        self.again = 0

    async def of(self, what: str, scene: Callable[[], Awaitable[T]]) -> T:
        """The result of `scene`. One that fails while this process, and so its callers, got no processor is repeated.

        At most twice, and a warning says so. A scene that fails on a machine that ran has failed.
        """
        for take in range(1, TAKES + 1):
            began_s = time.monotonic()
            try:
                return await scene()
            except (AssertionError, asyncio.TimeoutError) as error:
                if take == TAKES or not touched(self._gaps, began_s, time.monotonic()):
                    raise
                self.again += 1
                warnings.warn(f"{what}: taken again, for the machine stood still: {error}", stacklevel=2)
        raise AssertionError("TAKES is at least 1")


@contextmanager
def taking() -> Iterator[Takes]:
    """`with taking() as takes: await takes.of("a turn", turn)`."""
    gaps: list[Gap] = []
    with StallMeter(gaps.append):
        yield Takes(gaps)
