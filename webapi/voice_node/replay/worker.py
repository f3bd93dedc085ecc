"""A worker process of a batch: one task at a time, with its progress."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext
from typing import Any, Generic, TypeVar

from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.ctrl_c import interrupt_blocked
from webapi.voice_node.replay.progress import OnProgress

R = TypeVar("R")


class Worker(Generic[R]):
    """A process pool of one process. So it is known at which task a process died, and the other workers go on."""

    def __init__(self) -> None:
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._done_s = self._context.RawValue("d")
        self._pool = self._new_pool()

    @property
    def done_s(self) -> float:
        """How many seconds of its recording are done."""
        return float(self._done_s.value)

    def start(self, task: Callable[[OnProgress], R | UserError]) -> Future[R | UserError]:
        """Start a task in the process. The task must be picklable."""
        self._done_s.value = 0.0
        with interrupt_blocked():
            return self._pool.submit(_run_task, task)

    def result(self, future: Future[R | UserError], name: object) -> R | UserError:
        """Return the task's result. Where the process died: a UserError with `name`, and a new process."""
        try:
            return future.result()
        except BrokenProcessPool:
            self.close()
            self._pool = self._new_pool()
            return UserError(
                f"{name}: the process that worked on it died: killed, out of memory, or a crash in a library's own code"
            )

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self._context, initializer=_begin, initargs=(self._done_s,))


# ---------------------------------------------------------------- in the process

_shared_done_s: Any = None  # a shared float: how many seconds of the recording are done


def _begin(done_s: Any) -> None:
    """Prepare the process: the parent handles Ctrl-C, and where the parent has ended, this process ends too."""
    global _shared_done_s
    _shared_done_s = done_s
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _run_task(task: Callable[[OnProgress], R]) -> R:
    def on_progress(done_s: float) -> None:
        _shared_done_s.value = done_s

    return task(on_progress)
