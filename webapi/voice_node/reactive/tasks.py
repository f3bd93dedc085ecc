"""The asyncio tasks of a session, and which of them the session itself has cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Tasks of one kind that run for one session.

    Code of others may raise CancelledError of its own accord (`task.result()` of a cancelled task does). Only a cancel
    by `cancel` counts as one: see `cancelled`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running: set[asyncio.Task[Any]] = set()
        self._cancelled: set[asyncio.Task[Any]] = set()  # and not done yet

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start `work` as a task. Whoever starts it sees to it that it raises nothing."""
        task = self._loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return task

    def cancel(self, task: asyncio.Task[Any]) -> None:
        """Cancel a task that was started here."""
        if task.cancel():
            self._cancelled.add(task)

    def cancel_all(self) -> None:
        """Cancel all that run."""
        for task in list(self._running):
            self.cancel(task)

    @property
    def cancelled(self) -> bool:
        """Whether the running task was cancelled here."""
        return bool(self._cancelled) and asyncio.current_task() in self._cancelled

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._cancelled.discard(task)

    async def wait(self, timeout_s: float) -> int:
        """Wait until all are done, at most so long. Returns how many still run."""
        if self._running:
            await asyncio.wait(list(self._running), timeout=timeout_s)
        return len(self._running)
