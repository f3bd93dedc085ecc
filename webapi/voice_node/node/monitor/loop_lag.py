"""Measures how late an event loop is: one timer, ten times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

EVERY_S = 0.1


class LoopLag:
    """From `start` to `stop`, both called in the loop, `observe` gets by how many seconds each timer was late."""

    def __init__(self, loop: asyncio.AbstractEventLoop, observe: Callable[[float], None]) -> None:
        self._loop = loop
        self._observe = observe
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin."""
        self._set(self._loop.time() + EVERY_S)

    def stop(self) -> None:
        """End; nothing more is observed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, due_s: float) -> None:
        self._timer = self._loop.call_at(due_s, self._fire, due_s)

    def _fire(self, due_s: float) -> None:
        now_s = self._loop.time()
        self._set(max(due_s, now_s) + EVERY_S)  # what was missed in a stall is one late timer, and not many
        self._observe(max(0.0, now_s - due_s))
