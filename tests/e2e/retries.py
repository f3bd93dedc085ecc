"""Repeats scenes that fail on a machine that stood still: a caller loses words there, through no fault of the node."""

from __future__ import annotations

import asyncio
import os
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from bench.stall_meter import Gap, StallMeter, touched

TRIES = 3

T = TypeVar("T")


class Retries:
    """Repeats scenes in which the machine stood still. `count` is the number of repetitions so far."""

    def __init__(self, gaps: Sequence[Gap]) -> None:
        self._gaps = gaps
        self.count = 0

    async def run(self, what: str, scene: Callable[[], Awaitable[T]]) -> T:
        """The result of `scene`. Where it fails while a processor stood still, it is repeated, twice at most.

        A scene that fails on a machine that did not stand still has failed. `what` names it in the warning.
        """
        for attempt in range(1, TRIES + 1):
            began_s = time.monotonic()
            try:
                return await scene()
            except (AssertionError, asyncio.TimeoutError) as error:
                if attempt == TRIES or not touched(self._gaps, began_s, time.monotonic()):
                    raise
                self.count += 1
                warnings.warn(f"{what}: repeated, as the machine stood still: {error}", stacklevel=2)
        raise AssertionError("TRIES is at least 1")


@contextmanager
def watch_for_stalls() -> Iterator[Retries]:
    """`with watch_for_stalls() as retries: await retries.run("a turn", turn)`.

    Each processor has a meter of its own, where the system allows that: node and server may stand still alone.
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
        yield Retries(gaps)
