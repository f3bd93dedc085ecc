"""Holds a reply's audio back while the reply is halted."""

from __future__ import annotations

import asyncio

from reactivex import Subject


class PauseGate:
    """Open, except between `halt` and `resume`.

    `lost_us`: for how long it was closed so far, in µs. `halts` gives a value at each halt.
    """

    def __init__(self) -> None:
        self.lost_us = 0
        self.halts: Subject[None] = Subject()
        self._halted_us = 0
        self._open = asyncio.Event()
        self._open.set()

    def halt(self, t_us: int) -> None:
        """Close at `t_us`."""
        self._halted_us = t_us
        self._open.clear()
        self.halts.on_next(None)

    def resume(self, t_us: int) -> None:
        """Open at `t_us`."""
        self.lost_us += t_us - self._halted_us
        self._open.set()

    async def ready(self) -> None:
        """Wait until it is open."""
        if not self._open.is_set():
            await self._open.wait()
