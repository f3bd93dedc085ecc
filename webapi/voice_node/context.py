"""What a session gives to its operators: who they work for, its one clock and its one loop. Nothing is global."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from webapi.voice_node.config import Settings
from webapi.voice_node.events import Turn


@dataclass(frozen=True)
class Context:
    """One room, one caller. `clock` gives microseconds, the wall's live and virtual ones in replay."""

    session_id: str
    room: str
    settings: Settings
    loop: asyncio.AbstractEventLoop
    clock: Callable[[], int]
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)  # all that still runs for this session

    def turn(self, index: int) -> Turn:
        """The name of the session's turn `index`: derived, so that a replay gives the same."""
        return Turn(f"{self.session_id}-{index:04d}", index)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start `work` as a task that the session waits for when it closes."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task
