"""Writes lines of text in a thread, to what may be slow: a disk that stalls, a stopped terminal, an unread pipe."""

from __future__ import annotations

import contextlib
import logging
from logging.handlers import RotatingFileHandler, WatchedFileHandler
from pathlib import Path

from webapi.voice_node.errors import PrintLine
from webapi.voice_node.files.writer_thread import CLOSE_S, WriterThread

MAX_BYTES = 50_000_000  # of one file; then it is rotated
MAX_FILES = 5  # the one that is written, and NAME.1 to NAME.4
WAITING = 10_000  # lines in memory at most; about 5 MB


class LineWriter:
    """Passes lines to a `logging.Handler` in a thread. `write` never blocks and never raises.

    Where WAITING lines are unwritten, a line is dropped and counted. A problem (full disk, dropped lines) is passed to
    `on_problem`, from the thread; a failing disk once, until a write succeeds. Writing goes on after a problem.
    """

    def __init__(self, handler: logging.Handler, on_problem: PrintLine) -> None:
        self._handler = handler
        self._dropped = 0
        self._failing = False  # the last write failed, and that was reported
        handler.handleError = _raise_again  # type: ignore[method-assign]  # its own prints a traceback for each line
        self._thread: WriterThread[str] = WriterThread(
            "line-writer", WAITING, on_problem, write=self._emit, flush=self._keep_small, finish=self._close_handler
        )

    def write(self, line: str) -> None:
        """Queue one line, without its line end."""
        if not self._thread.put(line):
            self._dropped += 1

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Write what is queued and stop. False where `timeout_s` was too short: the rest is then lost."""
        return self._thread.close(timeout_s)

    def _emit(self, line: str) -> None:
        try:
            self._handler.emit(logging.makeLogRecord({"msg": line}))
        except Exception as error:
            if not self._failing:
                self._thread.report(str(error))
            self._failing = True
        else:
            self._failing = False
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._thread.report(f"{dropped} lines were dropped, writing was too slow")

    def _keep_small(self) -> None:
        """Begin a new file where this one has become large by the lines of other processes."""
        handler = self._handler
        if isinstance(handler, RotatingFileHandler):
            with contextlib.suppress(OSError):  # a disk that fails is told of with the next line
                if handler.shouldRollover(logging.makeLogRecord({"msg": ""})):
                    handler.doRollover()

    def _close_handler(self) -> None:
        with contextlib.suppress(OSError):  # what is still unwritten can't be written, and that was reported
            self._handler.close()


def _raise_again(record: logging.LogRecord) -> None:
    """Raise the error that `Handler.emit` is handling when it calls this."""
    raise


def line_file(path: Path, on_problem: PrintLine, *, shared: bool = False) -> LineWriter:
    """Return a writer that appends to `path`, flushes every line, and keeps at most MAX_FILES files of MAX_BYTES.

    `shared`: another process has made the writer that keeps the files small, and this one follows it to each new file.
    A line is one write at the end of the file, so lines of several processes do not mix. Raises OSError where the file
    can't be opened.
    """
    errors = "backslashreplace"  # a lone surrogate becomes \udcxx, which JSON understands
    if shared:
        return LineWriter(WatchedFileHandler(path, encoding="utf-8", errors=errors), on_problem)
    handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=MAX_FILES - 1, encoding="utf-8", errors=errors)
    return LineWriter(handler, on_problem)
