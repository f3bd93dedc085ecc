"""An asyncio event loop in virtual time: when nothing is ready, its clock jumps to the next timer.

A coroutine that sleeps 120 ms runs in it unchanged, without waiting. One that does real I/O gets a UserError.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from webapi.voice_node.clock.run import run_in
from webapi.voice_node.errors import UserError

T = TypeVar("T")

DUE_S = 1e-7  # a timer that is less than this away counts as due: floats are not quite whole microseconds
REAL_IO = "real I/O (sockets, threads, subprocesses) can't run in virtual time"


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` counts virtual seconds from 0 on, kept as whole µs so that equal times stay equal."""

    def __init__(self) -> None:
        self.now_us = 0
        super().__init__(_JumpingSelector(self))
        self._clock_resolution = DUE_S  # elsewhere it is the machine's: 15 ms on some

    def time(self) -> float:
        """Return virtual seconds."""
        return self.now_us / 1_000_000

    def clock_us(self) -> int:
        """Return virtual microseconds: the `clock` of a session."""
        return self.now_us

    async def until(self, t_us: int) -> None:
        """Move to `t_us`: all that is due before it is done, and nothing that is due at it, so the caller acts first.

        The order of two timers of the same time is undefined in asyncio, so a sleep would not guarantee that. Where
        nothing is due, this takes no iteration of the loop.
        """
        # asyncio has no public way to ask whether anything is due. These two have been its queues since Python 3.4.
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]
        while self.now_us < t_us:
            if ready:
                await asyncio.sleep(0)
            elif timers and timers[0].when() * 1_000_000 < t_us - 0.5:
                await asyncio.sleep(timers[0].when() - self.time())
            else:
                self.now_us = t_us

    def run_in_executor(  # type: ignore[override]  # the stub ties func to args; here nothing is ever run
        self, executor: Executor | None, func: Any, *args: Any
    ) -> Any:
        """Raise UserError: a thread runs in real time."""
        raise UserError(f"{REAL_IO}: {getattr(func, '__name__', func)} wants a thread")


class _JumpingSelector(selectors.SelectSelector):
    """A selector that moves the loop's clock forward instead of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Register the loop's own wake-up pipe, which is the first. Raises UserError for any other file."""
        if self.get_map():
            raise UserError(
                f"{REAL_IO}: something opened a connection. Replay it with --pace real, or from a recorded call."
            )
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move the clock to the next timer. No file is ever ready. Raises UserError where no timer is set."""
        if timeout is None:
            raise UserError("everything waits, and nothing will ever happen: no timer is set in this virtual time")
        if timeout > DUE_S / 2:  # to the nearest microsecond: float timers would drift
            self._loop.now_us += max(1, round(timeout * 1_000_000))
        return []


def run_virtual(main: Coroutine[Any, Any, T], *, start_us: int = 0) -> T:
    """Return the result of `main` in virtual time, from `start_us` on."""
    loop = VirtualTimeLoop()
    loop.now_us = start_us
    return run_in(loop, main)
