"""Subscribes to the track that `who_is_heard` chooses, and sees that a session serves its caller."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeAlias

from livekit import rtc
from loguru import logger

from webapi.voice_node.clock.run import wait_set
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.room import error_messages
from webapi.voice_node.room.announcements import Announcements
from webapi.voice_node.room.caller import ASK_AGAIN_S, Caller
from webapi.voice_node.room.connection import Connection
from webapi.voice_node.room.data_messages import RoomMessages
from webapi.voice_node.room.keypad import press
from webapi.voice_node.room.participants import caller_info, people_in
from webapi.voice_node.room.session_keeper import UNHEARD, SessionKeeper
from webapi.voice_node.room.session_port import MakeSession
from webapi.voice_node.room.track_reader import READS_MS
from webapi.voice_node.room.track_sink import TrackSink
from webapi.voice_node.room.vacancy import Vacancy
from webapi.voice_node.room.who_is_heard import WHY, RoomState, Seat, Without, not_heard, who_is_heard

GRACE_S = 30.0  # how long a caller's session outlives a lost connection
SETTLE_S = 0.2  # one cause gives several messages: the track is gone, the participant is gone, the same one is back
IN_THE_ROOM = ("no_track", "encrypted")  # of Without.why: the caller is there
ASKS = 3  # a track that has not come after so many subscriptions is taken for missing, until it comes
CLOSE_TRACKS_S = 0.3  # the time limit for closing tracks when the node leaves

Remove: TypeAlias = Callable[[str], Coroutine[Any, Any, bool]]


class Host:
    """Looks at the room after each change in it, and brings caller and session in line with what is there.

    It looks at the room's state and not at the change, so the order of LiveKit's messages does not matter. Only what
    must not wait (mute, a track that comes or goes) is done in the message's handler.
    """

    def __init__(
        self,
        room: str,
        make_session: MakeSession,
        sink: TrackSink,
        messages: RoomMessages,
        grace_s: float,
        remove: Remove,
        vacancy: Vacancy,
        *,
        reads_ms: int = READS_MS,
    ) -> None:
        """`remove` takes a participant out of the room, and says whether it could. `vacancy` sees who is there.

        `reads_ms`: how much of a caller's audio is read at a time.
        """
        self._reads_ms = reads_ms
        self._room = room
        self._messages = messages
        self._grace_s = grace_s
        self._remove = remove
        self._vacancy = vacancy
        self._connection: Connection | None = None
        self._caller: Caller | None = None
        self._seat: Seat | None = None  # as `who_is_heard` decided last
        self._missing: set[str] = set()  # sids of tracks that were asked for, and refused or have not come
        self._here_since_s: float | None = None  # since when the node is connected to the room
        self._look_at_s: float | None = None  # when to look again, even if nothing changes
        self._announcements = Announcements(room, messages)
        self._changed = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()  # of tracks
        self._sessions = SessionKeeper(room, make_session, sink, messages, self._changed)
        self._loop = asyncio.get_running_loop()
        self._log = logger.bind(room=room)

    def renew(self) -> None:
        """`make_session` makes other sessions now: an outdated one is replaced between two turns."""
        if self._caller is not None:
            self._caller.not_before_s = 0.0
        self._changed.set()

    # ------------------------------------------------------------ the room comes and goes

    def enter(self, connection: Connection) -> None:
        """The node is in the room."""
        self._connection, self._messages.room = connection, connection.room
        self._here_since_s = self._loop.time()
        self._announcements.entered()
        self._sessions.set_unheard(False, self._caller)
        self._changed.set()

    def lose(self, *, for_good: bool) -> None:
        """The room is gone. The session waits for its caller to come back, unless this is for good."""
        self._connection = self._messages.room = self._here_since_s = None
        self._announcements.reset()
        self._missing.clear()
        self._sessions.set_unheard(True, self._caller)
        if self._caller is not None:
            self._detach_track(self._caller, UNHEARD)
            if for_good:
                self._note_absent("left")
            elif self._seat is None or self._seat.without is None or self._seat.without.why in IN_THE_ROOM:
                self._note_absent("connection_lost")
        self._changed.set()

    def drain(self) -> None:
        """Serve the caller who is there to the end, and nobody after them."""
        self._vacancy.drain()
        self._changed.set()

    async def close(self, why: str = "node_leaves") -> None:
        """End the session, within session_keeper.CLOSE_S, and close the tracks, within CLOSE_TRACKS_S.

        `why`: a key of who_is_heard.WHY.
        """
        self._connection = None
        await self._end_call(why)
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSE_TRACKS_S)
            for task in self._closing:
                task.cancel()

    async def run(self) -> None:
        """Look at the room after each change, for ever."""
        while True:
            timeout_s = None if self._look_at_s is None else max(0.0, self._look_at_s - self._loop.time())
            await wait_set(self._changed, timeout_s)
            self._changed.clear()
            try:
                await self._align()
            except Exception:
                self._log.bind(event="edge_failed").exception("an error at the room's edge; looking again in a second")
                self._look_in(1.0)

    # ------------------------------------------------------------ LiveKit's messages

    def register_handlers(self, connection: Connection) -> None:
        """Register the handlers for the messages of a room, before it is joined."""
        on = connection.room.on
        on("participant_connected", self._look)
        on("participant_active", lambda participant: self._announcements.repeat_heard(only=participant.identity))
        on("participant_disconnected", lambda participant: self._on_left(connection, participant))
        on("track_published", self._look)
        on("track_unpublished", self._look_soon)
        on("track_subscribed", self._on_track)
        on("track_unsubscribed", lambda _, publication: self._on_track_gone(connection, publication))
        on("track_subscription_failed", self._on_refused)
        on("track_muted", self._on_muted)
        on("track_unmuted", self._on_muted)
        on("participant_attributes_changed", self._look)  # a phone is answered
        on("sip_dtmf_received", lambda key: press(self._caller, key))
        on("reconnecting", self._on_reconnecting)
        on("reconnected", self._on_reconnected)

    def _look(self, *_: object) -> None:
        self._changed.set()

    def _look_soon(self, *_: object) -> None:
        self._look_in(SETTLE_S)

    def _look_in(self, seconds: float) -> None:
        self._loop.call_later(seconds, self._changed.set)

    def _on_left(self, connection: Connection, participant: rtc.RemoteParticipant) -> None:
        if self._caller is not None and participant.identity == self._caller.identity:
            vanished = "vanished" if connection.up else "connection_lost"
            self._note_absent(vanished if participant.disconnect_reason is None else "left")
            self._caller.not_before_s = 0.0  # a caller who comes back does not wait for a session
        self._changed.set()

    def _on_track(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        caller, seat = self._caller, self._seat
        if caller is not None and caller.identity == participant.identity and caller.asked_sid == publication.sid:
            self._missing.discard(publication.sid)
            why = seat.why if seat is not None else "first"
            self._keep(caller.attach_track(track, publication, why))
            self._announcements.heard(caller.identity, why)
        self._changed.set()  # the track before, or one that is not wanted any more, is unsubscribed from

    def _on_track_gone(self, connection: Connection, publication: rtc.RemoteTrackPublication) -> None:
        caller = self._caller
        if caller is not None and caller.heard_sid == publication.sid:
            self._keep(caller.detach_heard("unpublished" if connection.up else UNHEARD))
        elif caller is not None and caller.asked_sid == publication.sid:
            caller.asked_sid = None
        self._look_soon()

    def _on_refused(self, participant: rtc.RemoteParticipant, sid: str, error: object) -> None:
        why = error_messages.short(str(error))
        bound = self._log.bind(event="subscribe_failed", identity=participant.identity, track_sid=sid)
        bound.warning(f"the audio of {participant.identity} can't be had: {why}")
        if self._caller is not None and self._caller.asked_sid == sid:
            self._caller.asked_sid = None
            self._missing.add(sid)
            self._look_in(1.0)

    def _on_muted(self, participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        if self._caller is not None and participant.identity == self._caller.identity:
            self._caller.set_muted(publication.sid, publication.muted)
        self._changed.set()

    def _on_reconnecting(self) -> None:
        self._log.bind(event="reconnecting").warning("connection to the server lost, trying to get it back")
        self._here_since_s = None
        self._sessions.set_unheard(True, self._caller)

    def _on_reconnected(self) -> None:
        self._here_since_s = self._loop.time()
        self._sessions.set_unheard(False, self._caller)
        self._log.bind(event="reconnected").info("connection to the server is back")
        self._changed.set()

    # ------------------------------------------------------------ the room's state

    async def _align(self) -> None:
        """Bring caller, track and session in line with who is in the room."""
        participants = dict(self._connection.room.remote_participants) if self._connection is not None else {}
        people = people_in(participants.values(), self._missing)
        decision = who_is_heard(RoomState(people, self._seat, self._here_since_s, self._loop.time(), self._grace_s))
        if self._vacancy.over.is_set():  # the node leaves: whoever waited for the seat does not get it any more
            self._look_at_s = None
            return
        self._seat = decision.seat
        if decision.seat is None:
            await self._end_call(decision.why)  # first, as what waits for the vacancy ends all that goes on here
        look_at_s = min(self._vacancy.look(people, decision.seat), decision.look_at_s or math.inf)
        self._look_at_s = look_at_s if look_at_s < math.inf else None
        if decision.seat is not None:
            here = participants.get(decision.seat.identity)
            caller = self._caller or self._begin_call(decision.seat, here)
            self._align_track(caller, here, decision.seat)
            if here is not None:
                await self._sessions.maintain(caller)
                self._hang_up_if_asked(caller)
        self._announcements.not_heard(not_heard(people, decision.seat))

    def _begin_call(self, seat: Seat, here: rtc.RemoteParticipant | None) -> Caller:
        info = CallerInfo(seat.identity) if here is None else caller_info(here)
        caller = self._caller = Caller(self._room, info, self._reads_ms)
        self._sessions.serve(caller)
        bound = caller.log.bind(event="listening_to", reason=seat.why)
        bound.info(f"listening to {seat.identity}: {WHY[seat.why]}")
        return caller

    async def _end_call(self, why: str) -> None:
        caller, text = self._caller, WHY[why]
        if caller is not None:
            self._detach_track(caller, text)
            reason = text if caller.hung_up is None else f"the bot hung up: {caller.hung_up}"
            await self._sessions.end(caller, reason)
            self._caller = None
            caller.log.bind(event="call_ended", reason=why).info(f"call of {caller.identity} ended: {text}")
        self._announcements.heard(None, why)

    def _hang_up_if_asked(self, caller: Caller) -> None:
        """Take a caller out of the room, once, where the bot has hung up."""
        if caller.hung_up is not None and not caller.removed:
            caller.removed = True
            self._keep(asyncio.create_task(self._take_out(caller), name="livekit-hang-up"))

    async def _take_out(self, caller: Caller) -> None:
        if not await self._remove(caller.identity):  # the call goes on, and may be hung up again
            caller.removed, caller.hung_up = False, None

    def _note_absent(self, why: str) -> None:
        """The caller is not in the room any more; see who_is_heard.Without."""
        if self._seat is not None:
            self._seat = replace(self._seat, sid=None, without=Without(why, self._loop.time()))

    def _align_track(self, caller: Caller, here: rtc.RemoteParticipant | None, seat: Seat) -> None:
        """Subscribe to the track of `seat`, and from all others; read it as soon as it has come."""
        publications = here.track_publications if here is not None else {}
        connected = self._connection is not None and self._connection.up
        why_gone = "unpublished" if connected else UNHEARD
        if seat.sid is None:
            self._detach_track(caller, why_gone)
            self._announcements.heard(None, seat.without.why if seat.without is not None else "no_track")
        elif caller.heard_sid not in publications:
            self._keep(caller.detach_heard(why_gone))
        caller.report_lost()
        if caller.heard_sid == seat.sid:
            caller.asked_sid = seat.sid
        if not connected:
            return
        for publication in publications.values():
            if publication.track is not None and publication.sid not in (seat.sid, caller.heard_sid):
                publication.set_subscribed(False)
        if seat.sid is not None and caller.needs(seat.sid):
            self._ask_for_track(caller, publications[seat.sid])

    def _ask_for_track(self, caller: Caller, publication: rtc.RemoteTrackPublication) -> None:
        """Subscribe to the track; again after ASK_AGAIN_S, as a reconnecting server loses requests."""
        if caller.asked_sid == publication.sid:
            caller.log.bind(event="subscribe_again", track_sid=publication.sid).warning(
                f"the audio of {caller.identity} has not come, asking for it again"
            )
            if caller.asks == ASKS:
                self._missing.add(publication.sid)
                self._changed.set()
        caller.note_asked(publication.sid)
        publication.set_subscribed(True)
        self._look_in(ASK_AGAIN_S + 0.1)

    def _detach_track(self, caller: Caller, why: str) -> None:
        self._keep(caller.detach_track(why))

    def _keep(self, closing: asyncio.Task[None] | None) -> None:
        """Hold a reference to the task until it is done."""
        if closing is not None:
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
