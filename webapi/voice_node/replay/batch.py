"""Runs many recordings side by side, in a process for each core; results come in the order of the recordings."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import TypeAlias, TypeVar

from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.ctrl_c import deferred_interrupt
from webapi.voice_node.replay.progress import BatchProgress, OnProgress
from webapi.voice_node.replay.worker import Worker

T = TypeVar("T")
R = TypeVar("R")
Work: TypeAlias = Callable[[T, OnProgress], R]
"""A function of a module, or a partial of one: it must be picklable."""

POLL_S = 0.1  # how often progress is shown


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_batch(
    work: Work[T, R], items: Sequence[T], names: Sequence[object], jobs: int, progress: BatchProgress
) -> Generator[R | UserError, None, None]:
    """Yield `work(item, on_progress)` for each item, in order, from up to `jobs` processes.

    A UserError is yielded in its item's place, and so is one about a process that died, with the item's name; the other
    items still run. Any other error ends the batch. Use it with `contextlib.closing`, which ends all processes.
    """
    if min(jobs, len(items)) < 2:
        for index, item in enumerate(items):
            result = _result_or_user_error(work, item, partial(progress.running_one, index))
            progress.finished(index)
            yield result
        return
    others = set(multiprocessing.active_children())
    workers = [Worker[R]() for _ in range(min(jobs, len(items)))]
    with deferred_interrupt() as raise_if_interrupted:
        try:
            yield from _side_by_side(list(workers), work, items, names, progress, raise_if_interrupted)
        except BaseException:  # also Ctrl-C, or that the caller wants no more results
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        finally:
            for worker in workers:
                worker.close()


def _side_by_side(
    idle: list[Worker[R]],
    work: Work[T, R],
    items: Sequence[T],
    names: Sequence[object],
    progress: BatchProgress,
    raise_if_interrupted: Callable[[], None],
) -> Generator[R | UserError, None, None]:
    waiting = deque(enumerate(items))
    busy: dict[Future[R | UserError], tuple[int, Worker[R]]] = {}
    results: dict[int, R | UserError] = {}
    for wanted in range(len(items)):
        while wanted not in results:
            while idle and waiting:
                index, item = waiting.popleft()
                worker = idle.pop()
                busy[worker.start(partial(_result_or_user_error, work, item))] = index, worker
            done, _ = wait(busy, POLL_S, FIRST_COMPLETED)
            raise_if_interrupted()
            for future in done:
                index, worker = busy.pop(future)
                results[index] = worker.result(future, names[index])
                progress.finished(index)
                idle.append(worker)
            progress.running([(index, worker.done_s) for index, worker in busy.values()])
        yield results.pop(wanted)
        raise_if_interrupted()


def _result_or_user_error(work: Work[T, R], item: T, on_progress: OnProgress) -> R | UserError:
    try:
        return work(item, on_progress)
    except UserError as error:
        return error
