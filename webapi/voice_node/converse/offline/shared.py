"""Programs that several calls use at once, so that a model is loaded once for all calls of a node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary


class Stoppable(Protocol):
    """What can be shared."""

    async def stop(self) -> None:
        """End it. It may be used again afterwards."""


S = TypeVar("S", bound=Stoppable)


class Shared(Generic[S]):
    """What the calls of an event loop share, by key. What nobody uses for a while is stopped."""

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Entry[S]]] = WeakKeyDictionary()

    def take(self, key: Hashable, make: Callable[[], S]) -> S:
        """The one of that key, which `make` makes where there is none. `give_back` must follow."""
        entries = self._loops.setdefault(asyncio.get_running_loop(), {})
        if key not in entries:
            entries[key] = _Entry(make())
        entry = entries[key]
        entry.users += 1
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        return entry.shared

    async def give_back(self, key: Hashable, keep_s: float) -> None:
        """End one use. After the last one, what is shared is stopped when `keep_s` seconds are over (0: at once)."""
        loop = asyncio.get_running_loop()
        entries = self._loops[loop]
        entry = entries[key]
        entry.users -= 1
        if entry.users == 0 and keep_s:
            entry.timer = loop.call_later(keep_s, lambda: entry.stop_in_background(entries, key))
        elif entry.users == 0:
            del entries[key]
            await entry.shared.stop()


class _Entry(Generic[S]):
    def __init__(self, shared: S) -> None:
        self.shared = shared
        self.users = 0
        self.timer: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Task[None] | None = None

    def stop_in_background(self, entries: dict[Hashable, _Entry[S]], key: Hashable) -> None:
        del entries[key]
        self._stopping = asyncio.create_task(self.shared.stop())  # kept, as the loop does not keep it
