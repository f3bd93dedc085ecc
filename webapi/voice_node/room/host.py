"""Chooses the caller of a room, subscribes to their track, and sees that a session serves them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from livekit import rtc
from loguru import logger

from webapi.voice_node.clock.run import wait_set
from webapi.voice_node.room import error_messages
from webapi.voice_node.room.caller import ASK_AGAIN_S, Caller, patience_s
from webapi.voice_node.room.connection import Connection
from webapi.voice_node.room.data_messages import RoomMessages
from webapi.voice_node.room.participants import choose_caller, choose_microphone, participant_info
from webapi.voice_node.room.session_keeper import UNHEARD, SessionKeeper
from webapi.voice_node.room.session_port import MakeSession
from webapi.voice_node.room.track_sink import TrackSink

GRACE_S = 30.0  # how long a caller's session outlives a lost connection
SETTLE_S = 0.2  # one cause gives several messages: the track is gone, the participant is gone, the same one is back
CLOSE_TRACKS_S = 0.3  # the time limit for closing tracks when the node leaves


class Host:
    """Looks at the room after each change in it, and brings caller and session in line with what is there.

    It looks at the room's state and not at the change, so the order of LiveKit's messages does not matter. Only what
    must not wait (mute, a track that comes or goes) is done in the message's handler.
    """

    def __init__(
        self, room: str, make_session: MakeSession, sink: TrackSink, messages: RoomMessages, grace_s: float
    ) -> None:
        self._room = room
        self._messages = messages
        self._grace_s = grace_s
        self._connection: Connection | None = None
        self._caller: Caller | None = None
        self._ignored: set[str] = set()  # identities of which the log says that they are not listened to
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
        self._sessions.set_unheard(False, self._caller)
        self._changed.set()

    def lose(self, *, for_good: bool) -> None:
        """The room is gone. The session waits for its caller to come back, unless this is for good."""
        self._connection = self._messages.room = None
        self._ignored.clear()
        self._sessions.set_unheard(True, self._caller)
        if self._caller is not None:
            self._detach_track(self._caller, UNHEARD)
            if for_good:
                self._caller.away_until_s = self._loop.time()
            elif self._caller.away_until_s is None:
                self._caller.away_until_s = self._loop.time() + self._grace_s
        self._changed.set()

    async def close(self) -> None:
        """End the session, within session_keeper.CLOSE_S, and close the tracks, within CLOSE_TRACKS_S."""
        self._connection = None
        await self._end_call("the node leaves")
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSE_TRACKS_S)
            for task in self._closing:
                task.cancel()

    async def run(self) -> None:
        """Look at the room after each change, for ever."""
        while True:
            away_until_s = self._caller.away_until_s if self._caller is not None else None
            timeout_s = None if away_until_s is None else max(0.0, away_until_s - self._loop.time())
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
        on("participant_active", lambda participant: self._send_listening_to(only=participant.identity))
        on("participant_disconnected", lambda participant: self._on_left(connection, participant))
        on("track_published", self._look)
        on("track_unpublished", self._look_soon)
        on("track_subscribed", self._on_track)
        on("track_unsubscribed", lambda _, publication: self._on_track_gone(connection, publication))
        on("track_subscription_failed", self._on_refused)
        on("track_muted", self._on_muted)
        on("track_unmuted", self._on_muted)
        on("reconnecting", self._on_reconnecting)
        on("reconnected", self._on_reconnected)

    def _look(self, *_: object) -> None:
        self._changed.set()

    def _look_soon(self, *_: object) -> None:
        self._look_in(SETTLE_S)

    def _look_in(self, seconds: float) -> None:
        self._loop.call_later(seconds, self._changed.set)

    def _on_left(self, connection: Connection, participant: rtc.RemoteParticipant) -> None:
        self._ignored.discard(participant.identity)
        if self._caller is not None and participant.identity == self._caller.identity:
            reason = participant.disconnect_reason
            patience = patience_s(said_why=reason is not None, up=connection.up, grace_s=self._grace_s)
            self._caller.away_until_s = self._loop.time() + patience
            self._caller.not_before_s = 0.0  # a caller who comes back does not wait for a session
        self._changed.set()

    def _on_track(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        caller = self._caller
        if caller is not None and caller.identity == participant.identity and caller.asked_sid == publication.sid:
            self._keep(caller.attach_track(track, publication))
            self._send_listening_to()

    def _on_track_gone(self, connection: Connection, publication: rtc.RemoteTrackPublication) -> None:
        if self._caller is not None and self._caller.asked_sid == publication.sid:
            self._detach_track(self._caller, "unpublished" if connection.up else UNHEARD)
            self._look_soon()

    def _on_refused(self, participant: rtc.RemoteParticipant, sid: str, error: object) -> None:
        why = error_messages.short(str(error))
        bound = self._log.bind(event="subscribe_failed", identity=participant.identity, track_sid=sid)
        bound.warning(f"the audio of {participant.identity} can't be had: {why}")
        if self._caller is not None and self._caller.asked_sid == sid:
            self._caller.asked_sid = None
            self._look_in(1.0)

    def _on_muted(self, participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        if self._caller is not None and participant.identity == self._caller.identity:
            self._caller.set_muted(publication.sid, publication.muted)

    def _on_reconnecting(self) -> None:
        self._log.bind(event="reconnecting").warning("connection to the server lost, trying to get it back")
        self._sessions.set_unheard(True, self._caller)

    def _on_reconnected(self) -> None:
        self._sessions.set_unheard(False, self._caller)
        self._log.bind(event="reconnected").info("connection to the server is back")
        self._changed.set()

    # ------------------------------------------------------------ the room's state

    async def _align(self) -> None:
        """Bring caller, track and session in line with who is in the room."""
        people = dict(self._connection.room.remote_participants) if self._connection is not None else {}
        caller = self._caller
        if caller is not None:
            here = people.get(caller.identity)
            if here is not None:
                caller.away_until_s = None
                self._ask_for_track(caller, here)
                await self._sessions.maintain(caller)
            elif caller.away_until_s is not None and self._loop.time() < caller.away_until_s:
                caller.report_lost()
            else:
                await self._end_call("caller left")
        if self._caller is None:
            identity = choose_caller(participant_info(participant) for participant in people.values())
            if identity is not None:
                self._ask_for_track(self._begin_call(identity), people[identity])
        self._log_ignored(people.values())

    def _begin_call(self, identity: str) -> Caller:
        caller = self._caller = Caller(self._room, identity)
        self._ignored.discard(identity)
        self._sessions.serve(caller)
        caller.log.bind(event="listening_to").info(f"listening to {identity}: of those with a microphone the first")
        return caller

    async def _end_call(self, why: str) -> None:
        caller = self._caller
        if caller is None:
            return
        self._detach_track(caller, why)
        await self._sessions.end(caller)
        self._caller = None
        caller.log.bind(event="call_ended").info(f"call of {caller.identity} ended: {why}")
        self._send_listening_to()

    def _ask_for_track(self, caller: Caller, here: rtc.RemoteParticipant) -> None:
        """Subscribe to the caller's microphone; again after ASK_AGAIN_S, as a reconnecting server loses requests."""
        if caller.asked_sid is not None and caller.asked_sid not in here.track_publications:
            self._detach_track(caller, "unpublished")
        caller.report_lost()
        publication = choose_microphone(here.track_publications.values())
        connected = self._connection is not None and self._connection.up
        if publication is None or not connected or caller.needs_no_track():
            return
        if caller.asked_sid == publication.sid:
            caller.log.bind(event="subscribe_again", track_sid=publication.sid).warning(
                f"the audio of {caller.identity} has not come, asking for it again"
            )
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

    def _log_ignored(self, people: Iterable[rtc.RemoteParticipant]) -> None:
        """Log, once for each, which participants with audio are not listened to, and why."""
        for seen in map(participant_info, people):
            is_caller = self._caller is not None and seen.identity == self._caller.identity
            if seen.audio and not is_caller and seen.identity not in self._ignored:
                self._ignored.add(seen.identity)
                why = "a bot" if seen.bot else f"listening to {self._caller.identity}" if self._caller else "no caller"
                self._log.bind(event="ignored", identity=seen.identity).info(f"not listening to {seen.identity}: {why}")

    def _send_listening_to(self, only: str | None = None) -> None:
        """Send to all clients, or to one, who is heard. Nobody is named before their track has come."""
        identity = self._caller.identity if self._caller is not None and self._caller.has_track else None
        self._messages.send({"event": "listening_to", "identity": identity}, only=only)
