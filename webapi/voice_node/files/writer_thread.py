"""A thread that writes what is queued, so that the event loop never waits for a disk, a terminal or a pipe."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from webapi.voice_node.errors import PrintLine

T = TypeVar("T")

FLUSH_S = 1.0  # time between two flushes: what a crash can lose
CLOSE_S = 2.0


class WriterThread(Generic[T]):
    """Calls `write` with each queued item in order, `flush` about every FLUSH_S, and `finish` once after the last item.

    An OSError of one of them ends the thread: its text goes to `on_problem`, and `finish` is not called any more.
    `put` never blocks and never raises. At most `max_waiting` items wait in memory.
    """

    def __init__(
        self,
        name: str,
        max_waiting: int,
        on_problem: PrintLine,
        *,
        write: Callable[[T], None],
        finish: Callable[[], None],
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_problem = on_problem
        self._write, self._flush, self._finish = write, flush, finish
        self._queue: queue.Queue[T | None] = queue.Queue(max_waiting)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> bool:
        """Queue an item. False where the queue is full: the item is then dropped."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            return False
        return True

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Write what is queued, finish, and end. False where `timeout_s` was too short: the rest may be lost."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def report(self, problem: str) -> None:
        """Pass a problem to `on_problem`. Never raises OSError or ValueError: stderr may be closed."""
        with contextlib.suppress(OSError, ValueError):
            self._on_problem(problem)

    def _run(self) -> None:
        try:
            self._write_until_closed()
            self._flush()
            self._finish()
        except OSError as error:
            self.report(str(error))

    def _write_until_closed(self) -> None:
        flushed_s = time.monotonic()
        while True:
            with contextlib.suppress(queue.Empty):
                item = self._queue.get(timeout=FLUSH_S)
                if item is None:
                    return
                self._write(item)
            if time.monotonic() - flushed_s >= FLUSH_S:
                self._flush()
                flushed_s = time.monotonic()
