"""Machines that stand still: whoever talks in real time there loses words, which says nothing about the node."""

from __future__ import annotations

import asyncio
import os
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
        """The result of `scene`. One that fails while a processor of this machine stood still is repeated.

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
    """`with taking() as takes: await takes.of("a turn", turn)`.

    With a meter on each processor, where that can be told apart: the node and the server may stand still alone.
    """
    gaps: list[Gap] = []
    with ExitStack() as meters:
        if hasattr(os, "sched_setaffinity"):
            ours = os.sched_getaffinity(0)
            meters.callback(os.sched_setaffinity, 0, ours)
            for processor in ours:
                os.sched_setaffinity(0, {processor})  # of this thread, and of those that it starts
                meters.enter_context(StallMeter(gaps.append))
            os.sched_setaffinity(0, ours)
        else:
            meters.enter_context(StallMeter(gaps.append))
        yield Takes(gaps)
