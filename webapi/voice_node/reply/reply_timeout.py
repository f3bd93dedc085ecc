"""The time limit for each thing that a reply waits for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class ReplyTimedOutError(Exception):
    """The orchestrator took too long for its next chunk."""


class ReplyTimeout:
    """Limits each wait to `timeout_s` from the last `renew` on. All waits run in the task that creates the object.

    Chunks come fifty times a second, and most are there at once. So a wait gets neither a task of its own
    (`asyncio.wait_for`) nor a timer (`asyncio.timeout`): one timer for all of them checks whether the time is up.
    """

    def __init__(self, timeout_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker: this runs in one
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = self._expired = False
        self.renew()

    def renew(self) -> None:
        """Start the time again."""
        self._due_s = self._loop.time() + self._timeout_s

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self._loop.time() >= self._due_s

    async def wait(self, work: Awaitable[T]) -> T:
        """The result of `work`. Raises ReplyTimedOutError, after `work` was cancelled, when the time is up first."""
        self._waiting, self._expired = True, False
        if self._timer is None:
            self._timer = self._loop.call_at(self._due_s, self._check)
        try:
            return await work
        except asyncio.CancelledError:
            if not self._expired:
                raise
            raise ReplyTimedOutError from None
        finally:
            self._waiting = False
            if self._expired and sys.version_info >= (3, 11):
                self._task.uncancel()  # also where `work` ignored the cancel

    def end(self) -> None:
        """Stop the timer. Nothing is waited for after this."""
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        timer, self._timer = self._timer, None
        if not self._waiting or timer is None:
            return  # the next wait sets one again
        if self._due_s > timer.when():  # renewed since
            self._timer = self._loop.call_at(self._due_s, self._check)
            return
        self._expired = True
        self._task.cancel()
