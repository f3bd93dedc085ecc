"""Bytes on their way to files, by a thread: the audio never waits for a disk."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

FLUSH_S = 1.0  # what a crash can lose
WAITING = 50_000  # writes in memory at most: at 150 a second, more than five minutes of a stalled disk
CLOSE_S = 2.0


class ByteWriter:
    """Appends to files, in order, `max_bytes` in all. `write` never blocks or raises; after a failure it is over."""

    def __init__(self, on_problem: Callable[[str], None], max_bytes: int) -> None:
        self._on_problem = on_problem
        self._left = max_bytes
        self._queue: queue.Queue[tuple[Path, bytes] | None] = queue.Queue(WAITING)
        self._files: dict[Path, BinaryIO] = {}
        self._broken = False
        self._headers: Mapping[Path, Callable[[int | None], bytes]] = {}
        self._thread = threading.Thread(target=self._run, name="file-thread", daemon=True)
        self._thread.start()

    def write(self, path: Path, content: bytes) -> None:
        """Append to the file at `path`."""
        if self._broken:
            return
        self._left -= len(content)
        if self._left < 0:
            self._fail("it has become too large")
            return
        try:
            self._queue.put_nowait((path, content))
        except queue.Full:
            self._fail("the disk is too slow")

    def close(self, headers: Mapping[Path, Callable[[int | None], bytes]]) -> None:
        """Write the rest, put a header in front of the files that have one, and end; within CLOSE_S."""
        self._headers = headers
        try:
            self._queue.put(None, timeout=CLOSE_S)
        except queue.Full:
            return
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        flushed_s = time.monotonic()
        try:
            while True:
                item: tuple[Path, bytes] | None = (Path(), b"")
                with contextlib.suppress(queue.Empty):
                    item = self._queue.get(timeout=FLUSH_S)
                if item is None:
                    break
                path, content = item
                if time.monotonic() - flushed_s >= FLUSH_S:
                    self._flush()
                    flushed_s = time.monotonic()
                if not content:
                    continue
                if path not in self._files:
                    self._files[path] = path.open("wb", buffering=1 << 16)
                self._files[path].write(content)
            self._flush()
            self._finish()
        except OSError as error:
            self._fail(str(error))

    def _flush(self) -> None:
        for file in self._files.values():
            file.flush()

    def _finish(self) -> None:
        for path, file in self._files.items():
            header = self._headers.get(path)
            if header:
                file.seek(0, 2)
                length = file.tell() - len(header(None))
                file.seek(0)
                file.write(header(length))
            file.close()

    def _fail(self, why: str) -> None:
        if not self._broken:
            self._broken = True
            self._on_problem(why)
