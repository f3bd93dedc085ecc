"""Many recordings side by side: a process for each core, results in the order in which they were asked for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing.context import SpawnContext
from types import FrameType
from typing import Any, Generic, TypeAlias, TypeVar

from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.progress import Progress

T = TypeVar("T")
R = TypeVar("R")
Tell: TypeAlias = Callable[[float], None]  # seconds of the recording that are done
Work: TypeAlias = Callable[[T, Tell], R]  # a module's own function, or a partial of one: it must reach other processes

LOOK_S = 0.1  # how often progress is looked at


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_batch(
    work: Work[T, R], items: Sequence[T], names: Sequence[object], jobs: int, progress: Progress
) -> Generator[R | UserError, None, None]:
    """`work(item, tell)` for each item, in as many as `jobs` processes; what it gives, in the order of the items.

    A UserError is given in its item's place, and so is one about a process that died, by the item's name; the others
    still run. Any other error ends it all. Use it with `contextlib.closing`: then no process is left, whatever happens.
    """
    if min(jobs, len(items)) < 2:
        for index, item in enumerate(items):
            result = _careful(work, item, partial(progress.running_one, index))
            progress.finished(index)
            yield result
        return
    others = set(multiprocessing.active_children())
    workers = [_Worker[R]() for _ in range(min(jobs, len(items)))]
    with _ctrl_c_when_looked_at() as look:
        try:
            yield from _side_by_side(list(workers), work, items, names, progress, look)
        except BaseException:  # Ctrl-C, too, or that nobody wants the rest
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        finally:
            for worker in workers:
                worker.close()


def _side_by_side(
    idle: list[_Worker[R]],
    work: Work[T, R],
    items: Sequence[T],
    names: Sequence[object],
    progress: Progress,
    look: Callable[[], None],
) -> Generator[R | UserError, None, None]:
    waiting = deque(enumerate(items))
    busy: dict[Future[R | UserError], tuple[int, _Worker[R]]] = {}
    results: dict[int, R | UserError] = {}
    for wanted in range(len(items)):
        while wanted not in results:
            while idle and waiting:
                index, item = waiting.popleft()
                worker = idle.pop()
                busy[worker.start(partial(_careful, work, item))] = index, worker
            done, _ = wait(busy, LOOK_S, FIRST_COMPLETED)
            look()
            for future in done:
                index, worker = busy.pop(future)
                results[index] = worker.result(future, names[index])
                progress.finished(index)
                idle.append(worker)
            progress.running([(index, worker.done_s) for index, worker in busy.values()])
        yield results.pop(wanted)
        look()


def _careful(work: Work[T, R], item: T, tell: Tell) -> R | UserError:
    try:
        return work(item, tell)
    except UserError as error:
        return error


# ---------------------------------------------------------------- a worker


class _Worker(Generic[R]):
    """One process, as a pool of its own: where it dies, it is known what it was at, and the others don't notice."""

    def __init__(self) -> None:
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._done_s = self._context.RawValue("d")
        self._pool = self._new_pool()

    @property
    def done_s(self) -> float:
        """How far it is with what it is at."""
        return float(self._done_s.value)

    def start(self, task: Callable[[Tell], R | UserError]) -> Future[R | UserError]:
        """Let it do that."""
        self._done_s.value = 0.0
        with _deaf_to_ctrl_c():
            return self._pool.submit(_in_worker, task)

    def result(self, future: Future[R | UserError], name: object) -> R | UserError:
        """What became of it. A process that died is replaced."""
        try:
            return future.result()
        except BrokenProcessPool:
            self.close()
            self._pool = self._new_pool()
            return UserError(
                f"{name}: the process that worked on it died: killed, out of memory, or a crash in a library's own code"
            )

    def close(self) -> None:
        """End it."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self._context, initializer=_begin, initargs=(self._done_s,))


_told: Any = None  # in a worker: where it writes how far it is


def _begin(done_s: Any) -> None:
    """A worker's first act. Ctrl-C is its parent's business, and where that is gone, however, it goes too."""
    global _told
    _told = done_s
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _in_worker(task: Callable[[Tell], R]) -> R:
    def tell(done_s: float) -> None:
        _told.value = done_s

    return task(tell)


@contextmanager
def _ctrl_c_when_looked_at() -> Iterator[Callable[[], None]]:
    """Ctrl-C is raised where it is looked for, and only a second one at once.

    Raised anywhere, it may leave a lock of a pool locked for ever, and the pool's thread, and so the program, waiting.
    """
    if threading.current_thread() is not threading.main_thread():  # Ctrl-C is never raised here
        yield lambda: None
        return
    asked = False

    def note(_: int, __: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    def look() -> None:
        if asked:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield look
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """What is started herein inherits a blocked SIGINT: in its first second it can't yet refuse it in good order."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
