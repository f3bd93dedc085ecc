"""One caller in the room and the session that serves them, as the LiveKit edge keeps them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from livekit import rtc
from loguru import logger

from webapi.voice_node.events import Event
from webapi.voice_node.livekit_caller import Hearing, Listener, cancels_echo, frames_of
from webapi.voice_node.speaker import Sink

ASK_AGAIN_S = 2.0
WAITING = 200  # pieces of the caller's audio (2 s) that are kept for a session that is still to come
PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # at least, from one session to the next where the first broke


class Served(Listener, Protocol):
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


MakeSession = Callable[[Call], Served]


def clock_us() -> int:
    """The live clock: monotonic microseconds."""
    return time.monotonic_ns() // 1000


class Waiting:
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

    def pass_on(self, session: Served) -> None:
        """All that was kept, in order."""
        for said in self._said:
            if isinstance(said, str):
                session.lost(said)
            else:
                session.hear(*said)


class Caller:
    """Who is listened to: their session, and the track they are heard on while there is one. Times are the loop's."""

    def __init__(self, room: str, identity: str) -> None:
        self.identity = identity
        self.away_until_s: float | None = None  # None: they are in the room
        self.asked_sid: str | None = None  # of the track that was subscribed to
        self._loop = asyncio.get_running_loop()
        self._asked_s = 0.0
        self._hearing: Hearing | None = None
        self._silent: str | None = None  # why nothing is heard, until the session is told
        self._log = self.log = logger.bind(room=room, identity=identity)
        self.session: Served = Waiting()
        self.session_id: str | None = None  # of the session that serves them, or was to
        self.broken = False  # that one
        self.not_before_s = 0.0  # no other is made
        self._began_s = 0.0
        self._pause_s = 0.0

    @property
    def heard(self) -> bool:
        """Their track is here, muted or not."""
        return self._hearing is not None

    def ask(self, sid: str) -> None:
        """Note that the track was asked for."""
        self.asked_sid, self._asked_s = sid, self._loop.time()

    def waits_for_track(self) -> bool:
        """Nothing is to be asked: a track is here, or was asked for just now."""
        just_now = self.asked_sid is not None and self._loop.time() - self._asked_s < ASK_AGAIN_S
        return self.heard or just_now

    # ------------------------------------------------------------ their session

    @property
    def waits(self) -> bool:
        """No session serves them; what they say waits for one."""
        return isinstance(self.session, Waiting)

    def begin(self, session_id: str) -> None:
        """A session is about to be made."""
        self.session_id, self.broken = session_id, False
        self._began_s = self._loop.time()
        self.log = self._log.bind(session_id=session_id)

    def serve_with(self, session: Served) -> None:
        """From now on `session` hears them, and first what has waited; a track that is heard stays heard."""
        before = self._listen(session)
        if isinstance(before, Waiting):
            before.pass_on(session)

    def hold(self) -> Served:
        """From now on what they say waits. The session before, to be closed."""
        return self._listen(Waiting())

    def broke(self) -> float:
        """The session broke. Seconds until another may be made: the oftener in a row, the more."""
        now_s = self._loop.time()
        lasted = now_s - self._began_s >= LONGEST_PAUSE_S
        self._pause_s = PAUSE_S if lasted or not self._pause_s else min(LONGEST_PAUSE_S, 2 * self._pause_s)
        self.broken, self.not_before_s = True, self._began_s + self._pause_s
        return max(0.0, self.not_before_s - now_s)

    def _listen(self, session: Served) -> Served:
        before, self.session = self.session, session
        if self._hearing is not None:
            self._hearing.listener = session
        return before

    # ------------------------------------------------------------ their track

    def tune_in(self, track: rtc.Track, publication: rtc.RemoteTrackPublication) -> asyncio.Task[None] | None:
        """Their audio has come: from now on the session hears it, and it alone; a task that tidies up."""
        tidying = self._drop("another track")
        self.tell_silence()
        muted, echo = publication.muted, not cancels_echo(publication)
        self._hearing = Hearing(frames_of(track), self.session, muted=muted, echo=echo, log=self.log)
        bound = self.log.bind(event="subscribe", track_sid=publication.sid, muted=muted, echo=echo)
        bound.info(f"hearing {self.identity}" + (" (muted)" if muted else ""))
        return tidying

    def tune_out(self, why: str) -> asyncio.Task[None] | None:
        """Their track is gone; a task that tidies up. The session is told by `tell_silence`, as they may have left."""
        self.asked_sid = None
        return self._drop(why)

    def _drop(self, why: str) -> asyncio.Task[None] | None:
        hearing, self._hearing = self._hearing, None
        if hearing is None:
            return None
        self._silent = why
        hearing.stop()
        return asyncio.create_task(hearing.close(), name="livekit-hearing-close")

    def tell_silence(self) -> None:
        """Tell the session, once, that a track is gone."""
        why, self._silent = self._silent, None
        if why is not None:
            self.session.lost(why)

    def mute(self, sid: str, muted: bool) -> None:
        """The track `sid` was muted or unmuted."""
        if self._hearing is not None and sid == self.asked_sid:
            self._hearing.mute(muted)
            self.log.bind(event="muted" if muted else "unmuted").debug(f"{self.identity} {'' if muted else 'un'}muted")
