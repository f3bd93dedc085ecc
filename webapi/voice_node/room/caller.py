"""One caller in the room and the session that serves them, as the LiveKit edge keeps them."""

from __future__ import annotations

import asyncio

from livekit import rtc
from loguru import logger

from webapi.voice_node.room.participants import cancels_echo
from webapi.voice_node.room.session_port import PendingSession, SessionPort
from webapi.voice_node.room.track_reader import TrackReader, frames_of

ASK_AGAIN_S = 2.0
PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # at least, from one session to the next where the first broke


class Caller:
    """Who is listened to: their session, and the track they are heard on while there is one. Times are the loop's."""

    def __init__(self, room: str, identity: str) -> None:
        self.identity = identity
        self.away_until_s: float | None = None  # None: they are in the room
        self.asked_sid: str | None = None  # of the track that was subscribed to
        self._loop = asyncio.get_running_loop()
        self._asked_s = 0.0
        self._hearing: TrackReader | None = None
        self._silent: str | None = None  # why nothing is heard, until the session is told
        self._log = self.log = logger.bind(room=room, identity=identity)
        self.session: SessionPort = PendingSession()
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
        return isinstance(self.session, PendingSession)

    def begin(self, session_id: str) -> None:
        """A session is about to be made."""
        self.session_id, self.broken = session_id, False
        self._began_s = self._loop.time()
        self.log = self._log.bind(session_id=session_id)

    def serve_with(self, session: SessionPort) -> None:
        """From now on `session` hears them, and first what has waited; a track that is heard stays heard."""
        before = self._listen(session)
        if isinstance(before, PendingSession):
            before.pass_on(session)

    def hold(self) -> SessionPort:
        """From now on what they say waits. The session before, to be closed."""
        return self._listen(PendingSession())

    def broke(self) -> float:
        """The session broke. Seconds until another may be made: the oftener in a row, the more."""
        now_s = self._loop.time()
        lasted = now_s - self._began_s >= LONGEST_PAUSE_S
        self._pause_s = PAUSE_S if lasted or not self._pause_s else min(LONGEST_PAUSE_S, 2 * self._pause_s)
        self.broken, self.not_before_s = True, self._began_s + self._pause_s
        return max(0.0, self.not_before_s - now_s)

    def _listen(self, session: SessionPort) -> SessionPort:
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
        self._hearing = TrackReader(frames_of(track), self.session, muted=muted, echo=echo, log=self.log)
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
