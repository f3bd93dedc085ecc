"""One caller in the room: the session that serves them, and the track that carries their audio."""

from __future__ import annotations

import asyncio
from collections import deque

from livekit import rtc
from loguru import logger

from webapi.voice_node.events import US_PER_S, Digit
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.room.jitter_buffer import look_at
from webapi.voice_node.room.participants import cancels_echo
from webapi.voice_node.room.pause import MAX_PAUSE_S, longer_pause
from webapi.voice_node.room.session_port import PendingSession, SessionPort, clock_us
from webapi.voice_node.room.track_reader import READS_MS, TrackReader, frames_of
from webapi.voice_node.room.who_is_heard import WHY

ASK_AGAIN_S = 2.0  # after this time a track that was subscribed to and has not come is subscribed to again
MOST_KEYS = 50  # within a second: a phone sends 10, and a client that sends more could fill log and recording


class Caller:
    """The state of one caller: session and track. Times are the loop's, in seconds.

    `reads_ms`: how much of their audio is read at a time.
    """

    def __init__(self, room: str, info: CallerInfo, reads_ms: int = READS_MS) -> None:
        self._reads_ms = reads_ms
        self.info = info
        self.identity = identity = info.identity
        self.hung_up: str | None = None  # why the bot has hung up on them
        self.removed = False  # they were taken out of the room for that
        self.asked_sid: str | None = None  # of the track that was subscribed to last
        self.heard_sid: str | None = None  # of the track that has come and is read
        self._loop = asyncio.get_running_loop()
        self._asked_s = 0.0
        self.asks = 0  # how often in a row that track was subscribed to
        self._reader: TrackReader | None = None
        self._lost: str | None = None  # why the track is gone, until the session is told
        self._log = self.log = logger.bind(room=room, identity=identity)
        self.session: SessionPort = PendingSession()
        self.session_id: str | None = None  # of the last session that was made for them, or was to be made
        self.broken = False  # that session broke
        self.not_before_s = 0.0  # no other session is made before this time
        self._began_s = 0.0
        self._pause_s = 0.0
        self._keys_us: deque[int] = deque(maxlen=MOST_KEYS)  # when the last ones came

    # ------------------------------------------------------------ session

    @property
    def is_waiting(self) -> bool:
        """No session serves them; their audio waits for one."""
        return isinstance(self.session, PendingSession)

    def begin_session(self, session_id: str) -> None:
        """Note that a session is about to be made."""
        self.session_id, self.broken = session_id, False
        self._began_s = self._loop.time()
        self.log = self._log.bind(session_id=session_id)

    def attach_session(self, session: SessionPort) -> None:
        """Send the audio that has waited, and all further audio, to `session`."""
        before = self._replace_session(session)
        if isinstance(before, PendingSession):
            before.pass_on(session)

    def detach_session(self) -> SessionPort:
        """Let all further audio wait. Returns the session before, which is to be closed."""
        return self._replace_session(PendingSession())

    def session_broke(self) -> float:
        """Note that the session broke. Seconds until another may be made: the pause doubles with each in a row."""
        now_s = self._loop.time()
        lasted = now_s - self._began_s >= MAX_PAUSE_S
        self._pause_s = longer_pause(0.0 if lasted else self._pause_s)
        self.broken, self.not_before_s = True, self._began_s + self._pause_s
        return max(0.0, self.not_before_s - now_s)

    def press(self, digit: Digit) -> None:
        """They have pressed a key. More than MOST_KEYS within a second are left out."""
        t_us, keys_us = clock_us(), self._keys_us
        if len(keys_us) == MOST_KEYS and t_us - keys_us[0] < US_PER_S:
            self.log.bind(event="keys_dropped").debug(f"more than {MOST_KEYS} keys within a second; one is left out")
            return
        keys_us.append(t_us)
        self.session.press(digit, t_us)

    def _replace_session(self, session: SessionPort) -> SessionPort:
        before, self.session = self.session, session
        if self._reader is not None:
            self._reader.listener = session
        return before

    # ------------------------------------------------------------ track

    @property
    def has_track(self) -> bool:
        """Their track has come; it may be muted."""
        return self._reader is not None

    def note_asked(self, sid: str) -> None:
        """Note that the track was subscribed to."""
        self.asks = self.asks + 1 if sid == self.asked_sid else 1
        self.asked_sid, self._asked_s = sid, self._loop.time()

    def needs(self, sid: str) -> bool:
        """The track is to be subscribed to: it has not come, and was not asked for in the last ASK_AGAIN_S."""
        just_asked = self.asked_sid == sid and self._loop.time() - self._asked_s < ASK_AGAIN_S
        return self.heard_sid != sid and not just_asked

    def attach_track(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, why: str
    ) -> asyncio.Task[None] | None:
        """Read this track, and no other, into the session. Returns the task that closes the track before.

        `why` it is this one: a key of who_is_heard.WHY, for the log.
        """
        closing = self._drop_track("another track")
        self.report_lost()
        muted, echo = publication.muted, not cancels_echo(publication)
        self._reader = TrackReader(
            frames_of(track, self._reads_ms),
            self.session,
            frame_ms=self._reads_ms,
            muted=muted,
            echo=echo,
            clock=clock_us,
            look=lambda: look_at(track),
            log=self.log,
        )
        self.heard_sid = publication.sid
        bound = self.log.bind(event="subscribe", track_sid=publication.sid, muted=muted, echo=echo, reason=why)
        bound.info(f"hearing {self.identity}{' (muted)' if muted else ''}: {WHY[why]}")
        return closing

    def detach_track(self, why: str) -> asyncio.Task[None] | None:
        """Stop reading the track, which is gone, and ask for no other. Returns the task that closes it.

        The session is told by `report_lost`, and not here: the caller may have left.
        """
        self.asked_sid = None
        return self._drop_track(why)

    def detach_heard(self, why: str) -> asyncio.Task[None] | None:
        """Like `detach_track`; but another track that was asked for is read when it comes."""
        asked_sid = self.asked_sid if self.asked_sid != self.heard_sid else None
        closing = self.detach_track(why)
        self.asked_sid = asked_sid
        return closing

    def report_lost(self) -> None:
        """Tell the session, once, that the track is gone."""
        why, self._lost = self._lost, None
        if why is not None:
            self.session.lost(why, clock_us())

    def set_muted(self, sid: str, muted: bool) -> None:
        """The track `sid` was muted or unmuted."""
        if self._reader is not None and sid == self.heard_sid:
            self._reader.set_muted(muted)
            self.log.bind(event="muted" if muted else "unmuted").debug(f"{self.identity} {'' if muted else 'un'}muted")

    def _drop_track(self, why: str) -> asyncio.Task[None] | None:
        reader, self._reader, self.heard_sid = self._reader, None, None
        if reader is None:
            return None
        self._lost = why
        reader.stop()
        return asyncio.create_task(reader.close(), name="livekit-hearing-close")
