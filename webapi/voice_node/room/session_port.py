"""A session as the LiveKit edge sees it, and what a session is made from."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from webapi.voice_node.events import Digit, Event
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.playback.sink import Sink

MAX_WAITING = 100  # chunks of 20 ms (2 s), gaps and keys that are kept for a session that is not made yet


class Listener(Protocol):
    """What a TrackReader needs of a session (pipeline.Session is one)."""

    def hear(self, pcm: bytes, rate: int, echo: bool, t_us: int) -> None:
        """Take a chunk of the caller's audio: int16 mono, `rate` in Hz; it arrived at `t_us` of the live clock.

        `echo`: it may contain the bot's voice.
        """

    def lost(self, reason: str, t_us: int) -> None:
        """The caller's audio stopped at `t_us`."""

    async def close(self, reason: str = "closed") -> None:
        """End the session, within a bounded time. `reason` is for the orchestrator."""


class SessionPort(Listener, Protocol):
    """What the edge needs of a session (node.live_session.LiveSession is one)."""

    @property
    def origin_us(self) -> int:
        """The time when it began, in microseconds of the live clock."""

    @property
    def graph(self) -> str:
        """The name of its graph."""

    @property
    def outdated(self) -> bool:
        """A newer graph is there: another session is to replace this one."""

    @property
    def between_turns(self) -> bool:
        """The caller does not speak, and no reply is made or played."""

    def press(self, digit: Digit, t_us: int) -> None:
        """The caller pressed a key of their phone at `t_us`."""

    def cut(self, reason: str) -> None:
        """End a reply that plays: nobody can hear the bot."""


@dataclass(frozen=True)
class SessionRequest:
    """What a session is made from."""

    session_id: str
    room: str
    caller: CallerInfo
    sink: Sink
    clock: Callable[[], int]  # microseconds, monotonic
    since_us: int  # when it begins on that clock: now, or when the audio arrived that waits for it
    tap: Callable[[Event], None]  # sends an event to the room's clients; the first tap, so that they get it soonest
    send: Callable[[Mapping[str, Any]], None]  # sends a JSON message to the room's clients; adds `session_id`
    broke: Callable[[Exception], None]  # the session takes no audio any more: it is closed and replaced
    hang_up: Callable[[str], None] = lambda _: None  # takes the caller out of the room; gets the reason


MakeSession = Callable[[SessionRequest], SessionPort]


def clock_us() -> int:
    """The live clock: monotonic microseconds."""
    return time.monotonic_ns() // 1000


class PendingSession:
    """Stands in for a session that is not made yet: keeps the last MAX_WAITING chunks, gaps and keys of the caller."""

    origin_us = 0
    graph = ""
    outdated = False
    between_turns = True

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Callable[[SessionPort], None]]] = deque(maxlen=MAX_WAITING)

    @property
    def since_us(self) -> int | None:
        """The time of the oldest thing that waits: the arrival of a chunk, or a gap, or a key; None: nothing waits."""
        return self._waiting[0][0] if self._waiting else None

    def hear(self, pcm: bytes, rate: int, echo: bool, t_us: int) -> None:
        """Keep the chunk."""
        self._waiting.append((t_us, lambda session: session.hear(pcm, rate, echo, t_us)))

    def lost(self, reason: str, t_us: int) -> None:
        """Keep the gap."""
        self._waiting.append((t_us, lambda session: session.lost(reason, t_us)))

    def press(self, digit: Digit, t_us: int) -> None:
        """Keep the key."""
        self._waiting.append((t_us, lambda session: session.press(digit, t_us)))

    def cut(self, reason: str) -> None:
        """Do nothing: nothing plays."""

    async def close(self, reason: str = "closed") -> None:
        """Do nothing."""

    def pass_on(self, session: SessionPort) -> None:
        """Give all that was kept to `session`, in order."""
        for _, give in self._waiting:
            give(session)
