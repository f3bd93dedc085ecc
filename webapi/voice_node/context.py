"""What a session gives to its operators: who they work for, its one clock and its one loop. Nothing is global."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from webapi.voice_node.config import Settings
from webapi.voice_node.events import Prompted, Reply, SpeechEnded, Turn
from webapi.voice_node.inputs import Input


class ReplyScript(Protocol):
    """Where the replies of a recorded call come from."""

    def connect(self, tell: Callable[[Reply], None]) -> None:
        """From now on, what the orchestrator gave then is told to `tell`."""

    def answer(self, ended: SpeechEnded) -> None:
        """An utterance is over, and its reply wanted."""

    def prompt(self, prompted: Prompted) -> None:
        """The bot is to say something of its own accord."""

    def cut(self, turn: Turn) -> None:
        """Nothing more of that reply is wanted."""


@dataclass(frozen=True)
class Context:
    """One room, one caller. `clock` gives microseconds, the wall's live and virtual ones in replay."""

    session_id: str
    room: str
    settings: Settings
    loop: asyncio.AbstractEventLoop
    clock: Callable[[], int]
    note: Callable[[Input], None] | None = None  # told of everything that comes in from outside, in order
    script: ReplyScript | None = None  # a recorded call: replies come from it, and no orchestrator is asked
    folder: Path = Path()  # of the graph's file, beside which its sounds lie
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
