"""Appends bytes to files in a thread, with a limit on their size: a recording, a tap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from webapi.voice_node.errors import PrintLine
from webapi.voice_node.files.writer_thread import WriterThread

WAITING = 50_000  # writes in memory at most: at 150 a second, more than five minutes of a stalled disk
BUFFER_BYTES = 1 << 16

STEP_BYTES = 1_000_000  # after so many it is asked for more room

Headers = Mapping[Path, Callable[[int | None], bytes]]  # of each file: its header, from its length without it in bytes


class ByteWriter:
    """Appends to files, in order, `max_bytes` in all. `write` never blocks and never raises.

    The first problem (no room on the disk, a slow disk, too many bytes) is passed to `on_problem`, perhaps from the
    thread. Nothing is accepted after it: a file with a hole would be worse than a short one.
    """

    def __init__(self, on_problem: PrintLine, max_bytes: int, make_room: Callable[[], bool] = lambda: True) -> None:
        """`make_room` is called in the thread after each STEP_BYTES: True where there is room for as many again."""
        self._on_problem = on_problem
        self._make_room = make_room
        self._until_asked = STEP_BYTES
        self._full = False
        self._left = max_bytes
        self._failed = False
        self._files: dict[Path, BinaryIO] = {}
        self._headers: Headers = {}
        self._thread: WriterThread[tuple[Path, bytes]] = WriterThread(
            "file-thread", WAITING, self._fail, write=self._append, flush=self._flush, finish=self._finish
        )

    def write(self, path: Path, content: bytes) -> None:
        """Append to the file at `path`; the first write replaces a file that is there."""
        if self._failed or not content:
            return
        self._left -= len(content)
        if self._left < 0:
            self._fail("it has become too large")
        elif not self._thread.put((path, content)):
            self._fail("the disk is too slow")

    def close(self, headers: Headers) -> None:
        """Write what is queued, and the final header of each file that has one; within CLOSE_S each."""
        self._headers = headers
        self._thread.close()

    def _append(self, item: tuple[Path, bytes]) -> None:
        path, content = item
        self._until_asked -= len(content)
        if self._until_asked < 0 and not self._full:
            self._flush()
            self._until_asked = STEP_BYTES
            self._full = not self._make_room()
        if self._full:
            self._fail("all recordings together have become too large")
            return
        if path not in self._files:
            self._files[path] = path.open("wb", buffering=BUFFER_BYTES)
        self._files[path].write(content)

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

    def _fail(self, problem: str) -> None:
        if not self._failed:
            self._failed = True
            self._on_problem(problem)
