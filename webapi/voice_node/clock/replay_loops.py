"""The two loops of a replay: in virtual time, without waiting, or in real time, for orchestrators with real I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias, TypeVar

from webapi.voice_node.clock.run import run_in
from webapi.voice_node.clock.virtual_time import VirtualTimeError, VirtualTimeLoop
from webapi.voice_node.errors import UserError

T = TypeVar("T")
Pace: TypeAlias = Literal["virtual", "real"]


class RealTimeLoop(asyncio.SelectorEventLoop):
    """An ordinary event loop with the clock of a replay, in microseconds from 0 on."""

    def __init__(self) -> None:
        super().__init__()
        self._zero_s = self.time()

    @property
    def now_us(self) -> int:
        """Time in µs on the recording's clock: since the replay began, plus the time that was set then."""
        return round((self.time() - self._zero_s) * 1_000_000)

    @now_us.setter
    def now_us(self, now_us: int) -> None:
        self._zero_s = self.time() - now_us / 1_000_000

    def clock_us(self) -> int:
        """Return the time in µs: the `clock` of a session."""
        return self.now_us

    def jump(self, t_us: int) -> bool:
        """Return whether `t_us` has come. Real time can't move on: see `until`."""
        return self.now_us >= t_us

    async def until(self, t_us: int) -> None:
        """Wait until `t_us`; where the machine is slow, longer. Other tasks run meanwhile."""
        await asyncio.sleep(max(0, t_us - self.now_us) / 1_000_000)


ReplayLoop: TypeAlias = VirtualTimeLoop | RealTimeLoop


def run_paced(main: Coroutine[Any, Any, T], pace: Pace, *, name: object, start_us: int = 0) -> T:
    """Return the result of `main` in a new loop of that pace, whose clock begins at `start_us`.

    Raises UserError, with the `name` of the recording, where virtual time can't go on.
    """
    loop: ReplayLoop = VirtualTimeLoop() if pace == "virtual" else RealTimeLoop()
    loop.now_us = start_us
    try:
        return run_in(loop, main)
    except VirtualTimeError as error:
        raise UserError(f"{name}: {error}") from None


def this_loop() -> ReplayLoop:
    """Return the running loop, which must be one of a replay."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, (VirtualTimeLoop, RealTimeLoop))  # noqa: S101 - for the type checker: run_paced makes it
    return loop
