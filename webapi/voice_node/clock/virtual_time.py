"""An asyncio event loop in virtual time: when nothing is ready, its clock jumps to the next timer.

A coroutine that sleeps 120 ms runs in it unchanged, without waiting. One that does real I/O gets a UserError.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextvars import Context
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from webapi.voice_node.clock.run import run_in
from webapi.voice_node.errors import UserError

T = TypeVar("T")

DUE_S = 1e-7  # a timer that is less than this away counts as due: floats are not quite whole microseconds
REAL_IO = "real I/O (sockets, threads, subprocesses) can't run in virtual time"
WAY_OUT = "Replay it with --pace real, or from a recorded call."
MOST_ROUNDS = 100_000  # of the loop at one instant; a second or so
LOOKED_AT = 20  # of them, the last: to find who polls
SLEEP = asyncio.sleep.__code__
OWN_THREADS = ("file-thread", "line-writer")  # of the node: they only write files


class VirtualTimeError(UserError):
    """Virtual time can't go on."""


def _refused(what: str) -> Any:
    """A coroutine method that raises UserError, and makes nothing that would have to be closed."""

    async def refuse(_: VirtualTimeLoop, *args: object, **kwargs: object) -> None:
        raise UserError(f"{REAL_IO}: {what}. {WAY_OUT}")

    return refuse


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` counts virtual seconds from 0 on, kept as whole µs so that equal times stay equal."""

    # asyncio registers the files of these in callbacks: an error there would reach the loop, and not who called.
    create_connection = create_unix_connection = create_datagram_endpoint = _refused("something opens a connection")
    create_server = create_unix_server = connect_accepted_socket = _refused("something opens a connection")
    connect_read_pipe = connect_write_pipe = _refused("something opens a pipe")
    subprocess_exec = subprocess_shell = _refused("something starts a process")

    def __init__(self) -> None:
        self.now_us = 0
        self._before = frozenset(threading.enumerate())
        self._seen: frozenset[threading.Thread] = frozenset()  # that ran beside an earlier round
        self._callers: dict[str, None] = {}  # the threads that called into the loop while it ran, by name
        super().__init__(_JumpingSelector(self))
        self._clock_resolution = DUE_S  # elsewhere it is the machine's: 15 ms on some

    def time(self) -> float:
        """Return virtual seconds."""
        return self.now_us / 1_000_000

    def clock_us(self) -> int:
        """Return virtual microseconds: the `clock` of a session."""
        return self.now_us

    def jump(self, t_us: int) -> bool:
        """Move to `t_us` where nothing is due before it. Returns whether it did; if not, `until` has to wait."""
        # asyncio has no public way to ask whether anything is due. These two have been its queues since Python 3.4.
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]
        if self.now_us < t_us:
            if ready or (timers and timers[0].when() * 1_000_000 < t_us - 0.5):
                return False
            self.now_us = t_us
        return True

    def give(self, values: Sequence[tuple[int, T]], at: int, push: Callable[[T], None]) -> int:
        """Pass values to `push` from position `at` on, each at its time (µs), as long as nothing else is due before it.

        Returns the position of the first that was not passed. It is the same as `jump` before each, in half the time.
        """
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]
        for position in range(at, len(values)):
            t_us, value = values[position]
            if self.now_us < t_us:
                if ready or (timers and timers[0].when() * 1_000_000 < t_us - 0.5):
                    return position
                self.now_us = t_us
            push(value)
        return len(values)

    async def until(self, t_us: int) -> None:
        """Move to `t_us`: all that is due before it is done, and nothing that is due at it, so the caller acts first.

        The order of two timers of the same time is undefined in asyncio, so a sleep would not guarantee that. Where
        nothing is due, this takes no iteration of the loop.
        """
        while not self.jump(t_us):
            if self._ready:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(self._scheduled[0].when() - self.time())  # type: ignore[attr-defined]

    def run_in_executor(  # type: ignore[override]  # the stub ties func to args; here nothing is ever run
        self, executor: Executor | None, func: Any, *args: Any
    ) -> Any:
        """Raise UserError: a thread runs in real time."""
        raise UserError(f"{REAL_IO}: {getattr(func, '__name__', 'a function')} wants a thread. {WAY_OUT}")

    def call_soon_threadsafe(  # type: ignore[override]  # the stub ties callback to args; here they are passed on
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As in any loop. A call from a thread that runs beside the loop is noted: see `threads`."""
        thread = threading.current_thread()
        if thread in self._seen and thread not in self._before:
            self._callers[thread.name] = None
        return super().call_soon_threadsafe(callback, *args, context=context)

    def look_at_threads(self) -> None:
        """Note which threads run now. A thread that is started and joined in one round does no harm."""
        if threading.active_count() != len(self._seen):
            self._seen = frozenset(threading.enumerate())

    def threads(self, *, at_work: bool) -> list[str]:
        """The threads, by name, that called into the loop at an arbitrary virtual time.

        `at_work`: also those that were started since the loop was made and still run.
        """
        others = (each for each in threading.enumerate() if each not in self._before and each.name not in OWN_THREADS)
        return [*dict.fromkeys([*self._callers, *(each.name for each in others if at_work)])]


class _JumpingSelector(selectors.SelectSelector):
    """A selector that moves the loop's clock forward instead of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop
        self._at_us = -1  # the instant at which `_rounds` rounds of the loop were run
        self._rounds = 0
        self._polling = ""  # where somebody called asyncio.sleep in the last of them

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Register the loop's own wake-up pipe, which is the first. Raises UserError for any other file."""
        if self.get_map():
            raise UserError(f"{REAL_IO}: something opens a connection. {WAY_OUT}")
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move the clock to the next timer. No file is ever ready. Raises UserError where no timer is set."""
        if timeout is None:
            raise VirtualTimeError(
                "everything waits, and nothing will ever happen: no timer is set in this virtual time"
            )
        if timeout > DUE_S / 2:  # to the nearest microsecond: float timers would drift
            self._loop.now_us += max(1, round(timeout * 1_000_000))
        self._count_round()
        self._loop.look_at_threads()
        return []

    def _count_round(self) -> None:
        """Raise UserError where something is ready again and again, so that time would never pass."""
        if self._loop.now_us != self._at_us:
            self._at_us, self._rounds = self._loop.now_us, 1
            return
        self._rounds += 1
        if self._rounds == MOST_ROUNDS - LOOKED_AT:
            sys.setprofile(self._look)
        elif self._rounds >= MOST_ROUNDS:
            sys.setprofile(None)
            self._at_us = -1  # tasks still have to be cancelled
            where = f" ({self._polling})" if self._polling else ""
            raise VirtualTimeError(
                f"virtual time stands still at {self._loop.now_us / 1_000_000:.3f} s: something polls without waiting"
                f"{where}, for example with asyncio.sleep(0). Let it wait for an event or some milliseconds. {WAY_OUT}"
            )

    def _look(self, frame: FrameType, event: str, _: Any) -> None:
        """Note who calls asyncio.sleep: a profile function."""
        if event == "call" and frame.f_code is SLEEP and frame.f_back and frame.f_back.f_code.co_filename != __file__:
            by = frame.f_back
            self._polling = f"{Path(by.f_code.co_filename).name}:{by.f_lineno} in {by.f_code.co_name}"


def run_virtual(main: Coroutine[Any, Any, T], *, start_us: int = 0) -> T:
    """Return the result of `main` in virtual time, from `start_us` on."""
    loop = VirtualTimeLoop()
    loop.now_us = start_us
    return run_in(loop, main)
