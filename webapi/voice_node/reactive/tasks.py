"""The asyncio tasks of a session, and which of them the session itself has cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from weakref import WeakSet


class Tasks:
    """Tasks of one kind that run for one session.

    Code of others may raise CancelledError of its own accord (`task.result()` of a cancelled task does). Only a cancel
    by `cancel` counts as one: see `cancelled`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running: set[asyncio.Task[Any]] = set()
        self._cancelled: WeakSet[asyncio.Task[Any]] = WeakSet()

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start `work` as a task. Whoever starts it sees to it that it raises nothing."""
        task = self._loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def cancel(self, task: asyncio.Task[Any]) -> None:
        """Cancel a task that was started here."""
        self._cancelled.add(task)
        task.cancel()

    def cancel_all(self) -> None:
        """Cancel all that run."""
        for task in list(self._running):
            self.cancel(task)

    @property
    def cancelled(self) -> bool:
        """Whether the running task was cancelled here."""
        task = asyncio.current_task()
        return task is not None and task in self._cancelled

    async def wait(self, timeout_s: float) -> int:
        """Wait until all are done, at most so long. Returns how many still run."""
        if self._running:
            await asyncio.wait(list(self._running), timeout=timeout_s)
        return len(self._running)
