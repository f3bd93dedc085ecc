"""Lines of text on their way to a slow place: a disk that stalls, a held terminal, a pipe nobody reads."""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_BYTES = 50_000_000  # of one file; then it is rotated
MAX_FILES = 5  # the one that is written, and NAME.1 to NAME.4
WAITING = 10_000  # lines in memory at most; about 5 MB


class LineWriter:
    """Hands lines to a `logging.Handler` from a thread of its own, so that the audio never waits for a disk.

    `write` never blocks and never raises: with WAITING lines unwritten a line is dropped and counted. What
    went wrong (full disk, dropped lines) is told to `on_problem`, from the thread, once until a write works.
    """

    def __init__(self, handler: logging.Handler, on_problem: Callable[[str], None]) -> None:
        self._handler = handler
        self._on_problem = on_problem
        self._queue: queue.Queue[str | None] = queue.Queue(WAITING)
        self._dropped = 0
        self._failed = False  # the last write
        self._failing = False  # the one before it: told already
        handler.handleError = self._on_error  # type: ignore[method-assign]  # its own prints a traceback for each line
        self._thread = threading.Thread(target=self._run, name="line-writer", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue one line, without its line end."""
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self, timeout_s: float = 2.0) -> bool:
        """Write what is queued and stop. False where `timeout_s` was not enough: the rest is then lost."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            self._failed = False
            self._handler.emit(logging.makeLogRecord({"msg": line}))
            self._failing = self._failed
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._tell(f"{dropped} lines were dropped, writing was too slow")
        with contextlib.suppress(OSError):  # what is still unwritten can't be: that has been told
            self._handler.close()

    def _on_error(self, record: logging.LogRecord) -> None:
        self._failed = True
        if not self._failing:
            self._tell(str(sys.exc_info()[1]))

    def _tell(self, problem: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # stderr may be closed; writing goes on all the same
            self._on_problem(problem)


def line_file(path: Path, on_problem: Callable[[str], None]) -> LineWriter:
    """A writer that appends to `path`, flushes every line, and keeps at most MAX_FILES files of MAX_BYTES.

    Raises OSError where the file can't be opened.
    """
    handler = RotatingFileHandler(
        path,
        maxBytes=MAX_BYTES,
        backupCount=MAX_FILES - 1,
        encoding="utf-8",
        errors="backslashreplace",  # a lone surrogate becomes \udcxx, which JSON understands
    )
    return LineWriter(handler, on_problem)
