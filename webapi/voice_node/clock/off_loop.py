"""Where a computation runs that takes longer than an audio frame: in a thread beside the loop, or at once."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
MOST_THREADS = 2  # of the process: the computations of all its calls take no more cores than these
LIMIT_S = 30  # of a computation in a replay: some load a large model first
MOST_WAITING = 100  # computations; only where some hang do more come, and those are dropped


class Compute(Protocol):
    """Runs a computation of a session."""

    def __call__(self, job: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run `job`, and pass what it returns to `done` in the session's loop. `job` must not raise, and must end."""
        ...


def at_once(job: Callable[[], T], done: Callable[[T], None]) -> None:
    """A `Compute` for virtual time: it has run when this returns, and no time has passed."""
    done(job())


class TookTooLongError(Exception):
    """A computation has not ended within LIMIT_S."""


def within_limit(job: Callable[[], T], done: Callable[[T], None]) -> None:
    """As `at_once`, but one that never ends does not hang the program: after LIMIT_S it raises TookTooLongError."""
    results: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            results.append(job())
        except BaseException as error:  # it is raised where it was asked for
            raised.append(error)

    thread = threading.Thread(target=run, name="off-loop-limited", daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    if raised:
        raise raised[0]
    if not results:
        raise TookTooLongError(f"it has not ended within {LIMIT_S} s")
    done(results[0])


def in_threads(loop: asyncio.AbstractEventLoop) -> Compute:
    """A `Compute` for real time: the loop goes on meanwhile. What is done when the loop has closed is dropped."""

    def compute(job: Callable[[], T], done: Callable[[T], None]) -> None:
        def run() -> None:
            result = job()
            try:
                loop.call_soon_threadsafe(done, result)
            except RuntimeError:  # the loop has closed: the call is over
                return

        _THREADS.put(run)

    return compute


class _Threads:
    """Daemon threads that take jobs in order. They are started when they are needed, and never end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._count = 0

    def put(self, job: Callable[[], Any]) -> None:
        """Queue a job, unless MOST_WAITING others wait."""
        with self._lock:
            if self._jobs.qsize() >= MOST_WAITING:
                return
            self._jobs.put(job)
            if self._idle < self._jobs.qsize() and self._count < self._most:
                self._count += 1
                threading.Thread(target=self._run, name=f"off-loop-{self._count}", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            job = self._jobs.get()
            with self._lock:
                self._idle -= 1
            job()
            del job  # it may hold a session


_THREADS = _Threads(MOST_THREADS)
