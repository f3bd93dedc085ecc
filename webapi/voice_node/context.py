"""What a session gives to its operators: ids, settings, one clock, one loop. Nothing is global to the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from webapi.voice_node.clock.off_loop import Compute, at_once
from webapi.voice_node.config import Settings
from webapi.voice_node.events import Asked, Prompted, Reply, SpeechEnded, Transcript, Turn
from webapi.voice_node.inputs import CallerInfo, Input
from webapi.voice_node.reactive.tasks import Tasks

TellEnd: TypeAlias = Callable[[str, Callable[[Exception], None]], None]
"""Gets why the session closes, and what takes an error: the graph is gone by then."""


class ReplyScript(Protocol):
    """Where the replies of a recorded call come from, instead of an orchestrator."""

    asks_again: bool  # what is asked at pauses is asked again, as the call is replayed with changes

    def connect(self, tell: Callable[[Reply], None]) -> None:
        """From now on, pass what the orchestrator gave in the call to `tell`."""

    def begin(self, turn: Turn) -> None:
        """An utterance begins."""

    def answer(self, ended: SpeechEnded) -> None:
        """An utterance is over: give the reply to it."""

    def prompt(self, prompted: Prompted) -> None:
        """The bot begins a turn: give its audio."""

    def cut(self, turn: Turn) -> None:
        """That reply is cut: give no more of it."""

    def acted_us(self, cause_us: int) -> int | None:
        """When the speaker did in the call what a value with the stamp `cause_us` made it do; None: it is not known."""

    def end_of_turn(self, backend: str, frame: int) -> float | None:
        """The answer of that backend that came into the graph with frame `frame` of the call; None: there is none."""


@dataclass(frozen=True)
class Context:
    """One session: one room, one caller."""

    session_id: str
    room: str  # its name
    settings: Settings
    loop: asyncio.AbstractEventLoop
    clock: Callable[[], int]  # gives µs: of the monotonic clock live, of virtual time in a replay
    note: Callable[[Input], None] | None = None  # gets everything that comes in from outside, in order
    script: ReplyScript | None = None  # a recorded call: replies come from it, and no orchestrator is asked
    folder: Path = Path()  # of the graph's file, beside which its sounds lie
    tap_file: Callable[[str], Path | None] = Path  # where the tap of that `file` writes; None: it writes nothing
    caller: CallerInfo = field(default_factory=CallerInfo)
    ask: Callable[[Asked], None] = lambda _: None  # the bot is to say something, or to hang up
    tell_words: Callable[[Transcript], None] = lambda _: None  # of the caller: they go into the port `words`
    compute: Compute = at_once  # where what takes longer than a frame runs
    trouble: Callable[[Exception], None] = lambda _: None  # gets an error that costs nothing but what it was wanted for
    unheard: bool = False  # nobody listens to the bot: `resample` may give silence in place of its replies
    on_ended: list[TellEnd] = field(default_factory=list)  # told last
    replies: Tasks = field(init=False)  # of replies, prompts and fillers
    hooks: Tasks = field(init=False)  # of the orchestrator's async hooks: a session may be idle while they run

    def __post_init__(self) -> None:
        object.__setattr__(self, "replies", Tasks(self.loop))
        object.__setattr__(self, "hooks", Tasks(self.loop))

    def turn(self, index: int) -> Turn:
        """The session's turn number `index`. Its trace_id derives from the session's id, so a replay gives the same."""
        return Turn(f"{self.session_id}-{index:04d}", index)
