"""The two clocks of a replay: virtual time, which waits for nothing, and real time, for orchestrators with real I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias, TypeVar

from webapi.voice_node.clock.run import run_in
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop

T = TypeVar("T")
Pace: TypeAlias = Literal["virtual", "real"]


class RealTimeLoop(asyncio.SelectorEventLoop):
    """An ordinary loop with the clock of a replay: microseconds from 0 on, and a wait for a moment of it."""

    def __init__(self) -> None:
        super().__init__()
        self._zero_s = self.time()

    @property
    def now_us(self) -> int:
        """Microseconds since the replay began, and what the recording's clock showed then."""
        return round((self.time() - self._zero_s) * 1_000_000)

    @now_us.setter
    def now_us(self, now_us: int) -> None:
        self._zero_s = self.time() - now_us / 1_000_000

    def clock_us(self) -> int:
        """The `clock` of a session."""
        return self.now_us

    async def until(self, t_us: int) -> None:
        """Be at `t_us` or, where the machine is slow, later; others run meanwhile."""
        await asyncio.sleep(max(0, t_us - self.now_us) / 1_000_000)


ReplayLoop: TypeAlias = VirtualTimeLoop | RealTimeLoop


def run_paced(main: Coroutine[Any, Any, T], pace: Pace, *, start_us: int = 0) -> T:
    """Run `main` in one of the two, whose clock shows `start_us` then."""
    loop: ReplayLoop = VirtualTimeLoop() if pace == "virtual" else RealTimeLoop()
    loop.now_us = start_us
    return run_in(loop, main)


def this_loop() -> ReplayLoop:
    """The loop that a replay runs in."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, (VirtualTimeLoop, RealTimeLoop))  # noqa: S101 - for the type checker: run_paced makes it
    return loop
