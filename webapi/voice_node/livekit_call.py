"""One caller in the room and the session that serves them, as the LiveKit edge keeps them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from livekit import rtc
from loguru import logger

from webapi.voice_node.events import Event
from webapi.voice_node.livekit_caller import Hearing, Listener, frames_of
from webapi.voice_node.speaker import Sink

ASK_AGAIN_S = 2.0


class Served(Listener, Protocol):
    """A session as the edge needs it; pipeline.Session is one."""

    @property
    def origin_us(self) -> int:
        """The clock when it began."""


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


class Caller:
    """Who is listened to: their session, and the track they are heard on while there is one."""

    def __init__(self, call: Call, session: Served) -> None:
        self.identity = call.identity
        self.away_until_s: float | None = None  # monotonic; None: they are in the room
        self.asked_sid: str | None = None  # of the track that was subscribed to
        self._asked_s = 0.0
        self._hearing: Hearing | None = None
        self._silent: str | None = None  # why nothing is heard, until the session is told
        self.serve_with(call, session)

    @property
    def heard(self) -> bool:
        """Their track is here, muted or not."""
        return self._hearing is not None

    def ask(self, sid: str) -> None:
        """Note that the track was asked for."""
        self.asked_sid, self._asked_s = sid, time.monotonic()

    def waits_for_track(self) -> bool:
        """Nothing is to be asked: a track is here, or was asked for just now."""
        just_now = self.asked_sid is not None and time.monotonic() - self._asked_s < ASK_AGAIN_S
        return self.heard or just_now

    def serve_with(self, call: Call, session: Served) -> None:
        """From now on `session` hears them; a track that is heard stays heard."""
        self.session, self.session_id = session, call.session_id
        self.broken = False
        self.began_s = time.monotonic()
        self.log = logger.bind(room=call.room, identity=call.identity, session_id=call.session_id)
        if self._hearing is not None:
            self._hearing.listener = session

    def tune_in(self, track: rtc.Track, publication: rtc.RemoteTrackPublication) -> None:
        """Their audio has come: from now on the session hears it."""
        self.tell_silence()
        self._hearing = Hearing(frames_of(track), self.session, muted=publication.muted, log=self.log)
        bound = self.log.bind(event="subscribe", track_sid=publication.sid, muted=publication.muted)
        bound.info(f"hearing {self.identity}" + (" (muted)" if publication.muted else ""))

    def tune_out(self, why: str) -> asyncio.Task[None] | None:
        """Their track is gone; a task that tidies up. The session is told by `tell_silence`, as they may have left."""
        self.asked_sid = None
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
