"""A session as the LiveKit edge sees it, and what a session is made from."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from webapi.voice_node.events import Event
from webapi.voice_node.playback.sink import Sink

WAITING = 200  # pieces of the caller's audio (2 s) that are kept for a session that is still to come


class Listener(Protocol):
    """What the edge needs of a session (pipeline.Session is one)."""

    def hear(self, pcm: bytes, rate: int, echo: bool) -> None:
        """A chunk of the caller's audio; `echo`: the bot's own voice may be in it."""

    def lost(self, reason: str) -> None:
        """The caller's audio stopped."""

    async def close(self) -> None:
        """End the session; bounded."""


class SessionPort(Listener, Protocol):
    """A session as the edge needs it; live_session.LiveSession is one."""

    @property
    def origin_us(self) -> int:
        """The clock when it began."""

    @property
    def graph(self) -> str:
        """The name of its graph."""

    @property
    def outdated(self) -> bool:
        """There is a new graph: another session is to take its place."""

    @property
    def between_turns(self) -> bool:
        """Neither is the caller speaking nor is a reply made or played."""

    def cut(self, reason: str) -> None:
        """Nobody can hear the bot any more: a reply that plays is over."""


@dataclass(frozen=True)
class Call:
    """What a session is made from when a caller is there."""

    session_id: str
    room: str
    identity: str  # the caller's
    sink: Sink
    clock: Callable[[], int]  # microseconds, monotonic
    tap: Callable[[Event], None]  # tells the room's clients; the first of the session's taps, so that they know soonest
    tell: Callable[[Mapping[str, Any]], None]  # the same for anything else that is JSON; `session_id` is added
    broke: Callable[[Exception], None]  # the session hears nothing more: it is closed and another takes its place


MakeSession = Callable[[Call], SessionPort]


def clock_us() -> int:
    """The live clock: monotonic microseconds."""
    return time.monotonic_ns() // 1000


class PendingSession:
    """In a session's place until there is one: keeps the last that the caller says."""

    origin_us = 0
    graph = ""
    outdated = False
    between_turns = True

    def __init__(self) -> None:
        self._said: deque[tuple[bytes, int, bool] | str] = deque(maxlen=WAITING)

    def hear(self, pcm: bytes, rate: int, echo: bool) -> None:
        """Keep it."""
        self._said.append((pcm, rate, echo))

    def lost(self, reason: str) -> None:
        """Keep that too."""
        self._said.append(reason)

    def cut(self, reason: str) -> None:
        """Nothing plays."""

    async def close(self) -> None:
        """Nothing to close."""

    def pass_on(self, session: SessionPort) -> None:
        """All that was kept, in order."""
        for said in self._said:
            if isinstance(said, str):
                session.lost(said)
            else:
                session.hear(*said)
