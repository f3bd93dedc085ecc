"""Whom the node listens to in a room, and which session serves them, kept in line with who is there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from livekit import rtc
from loguru import logger

from webapi.voice_node.clock.run import wait_set
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import Event, PlaybackStarted, record
from webapi.voice_node.room import error_messages
from webapi.voice_node.room.caller import ASK_AGAIN_S, Caller
from webapi.voice_node.room.connection import Connection, bounded
from webapi.voice_node.room.data_messages import RoomEvents
from webapi.voice_node.room.participants import choose_caller, choose_microphone, participant_info
from webapi.voice_node.room.session_port import Call, MakeSession, SessionPort, clock_us
from webapi.voice_node.room.track_sink import LiveKitSink

GRACE_S = 30.0  # how long a caller's session outlives a lost connection
SETTLE_S = 0.2  # one cause comes as several messages: track gone, participant gone, the same one back
BACK_S = 1.0  # a caller who joins again under their name: gone and back, in two messages
LOOK_S = 0.1  # whether a session that is to be replaced is between two turns
UNHEARD = "connection lost"
CLOSE_S = 2.2  # what a session's close may take; it promises 2 s
TIDY_S = 0.3  # for tracks that were just closed


class Host:
    """Looks at the room whenever something changes in it, and brings caller and session in line with what it sees.

    Looking at the state, and not at what changed, makes the order of LiveKit's messages not matter; only what must
    not wait (mute, a track that comes or goes) is done by the message itself.
    """

    def __init__(
        self, room: str, make_session: MakeSession, sink: LiveKitSink, events: RoomEvents, grace_s: float
    ) -> None:
        self._room = room
        self._make_session = make_session
        self._sink = sink
        self._events = events
        self._grace_s = grace_s
        self._link: Connection | None = None
        self._caller: Caller | None = None
        self._unheard = False  # the connection is lost, for now or for good
        self._ignored: set[str] = set()
        self._changed = asyncio.Event()
        self._tidying: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._log = logger.bind(room=room)

    def renew(self) -> None:
        """Sessions are made in another way now: one that is outdated is replaced between two turns."""
        if self._caller is not None:
            self._caller.not_before_s = 0.0
        self._changed.set()

    # ------------------------------------------------------------ the room comes and goes

    def enter(self, link: Connection) -> None:
        """The node is in the room."""
        self._link, self._events.room = link, link.room
        self._unheard = False
        self._changed.set()

    def lose(self, *, for_good: bool) -> None:
        """The room is gone. The session waits for its caller to be met again, except where this is for good."""
        self._link = self._events.room = None
        self._ignored.clear()
        self._cut_unheard()
        if self._caller is not None:
            self._tune_out(self._caller, UNHEARD)
            if for_good:
                self._caller.away_until_s = self._loop.time()
            elif self._caller.away_until_s is None:
                self._caller.away_until_s = self._loop.time() + self._grace_s
        self._changed.set()

    async def close(self) -> None:
        """End the session, within CLOSE_S and TIDY_S."""
        self._link = None
        await self._end_call("the node leaves")
        if self._tidying:
            await asyncio.wait(self._tidying, timeout=TIDY_S)
            for task in self._tidying:
                task.cancel()

    async def tend(self) -> None:
        """Keep in line, for ever."""
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

    # ------------------------------------------------------------ what the room says

    def attend(self, link: Connection) -> None:
        """Listen to what a room says, from before it is joined."""
        on = link.room.on
        on("participant_connected", self._look)
        on("participant_active", lambda participant: self._tell_whom(only=participant.identity))
        on("participant_disconnected", lambda participant: self._left(link, participant))
        on("track_published", self._look)
        on("track_unpublished", self._look_soon)
        on("track_subscribed", self._subscribed)
        on("track_unsubscribed", lambda _, publication: self._unsubscribed(link, publication))
        on("track_subscription_failed", self._refused)
        on("track_muted", self._muted)
        on("track_unmuted", self._muted)
        on("reconnecting", self._reconnecting)
        on("reconnected", self._reconnected)

    def _look(self, *_: object) -> None:
        self._changed.set()

    def _look_soon(self, *_: object) -> None:
        self._look_in(SETTLE_S)

    def _look_in(self, seconds: float) -> None:
        self._loop.call_later(seconds, self._changed.set)

    def _left(self, link: Connection, participant: rtc.RemoteParticipant) -> None:
        self._ignored.discard(participant.identity)
        if self._caller is not None and participant.identity == self._caller.identity:
            reason = participant.disconnect_reason
            patience = patience_s(said_why=reason is not None, up=link.up, grace_s=self._grace_s)
            self._caller.away_until_s = self._loop.time() + patience
            self._caller.not_before_s = 0.0  # who comes again is not to wait for a session
        self._changed.set()

    def _subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        caller = self._caller
        if caller is not None and caller.identity == participant.identity and caller.asked_sid == publication.sid:
            self._tidy(caller.tune_in(track, publication))
            self._tell_whom()

    def _unsubscribed(self, link: Connection, publication: rtc.RemoteTrackPublication) -> None:
        if self._caller is not None and self._caller.asked_sid == publication.sid:
            self._tune_out(self._caller, "unpublished" if link.up else UNHEARD)
            self._look_soon()

    def _refused(self, participant: rtc.RemoteParticipant, sid: str, error: object) -> None:
        said = error_messages.short(str(error))
        bound = self._log.bind(event="subscribe_failed", identity=participant.identity, track_sid=sid)
        bound.warning(f"the audio of {participant.identity} can't be had: {said}")
        if self._caller is not None and self._caller.asked_sid == sid:
            self._caller.asked_sid = None
            self._look_in(1.0)

    def _muted(self, participant: rtc.Participant, publication: rtc.TrackPublication) -> None:
        if self._caller is not None and participant.identity == self._caller.identity:
            self._caller.mute(publication.sid, publication.muted)

    def _reconnecting(self) -> None:
        self._log.bind(event="reconnecting").warning("connection to the server lost, trying to get it back")
        self._cut_unheard()

    def _cut_unheard(self) -> None:
        """Nobody hears the bot: what it says is over. What it would say from now on, see `_serve`."""
        self._unheard = True
        if self._caller is not None:
            self._caller.session.cut(UNHEARD)

    def _reconnected(self) -> None:
        self._unheard = False
        self._log.bind(event="reconnected").info("connection to the server is back")
        self._changed.set()

    # ------------------------------------------------------------ in line

    async def _align(self) -> None:
        people = dict(self._link.room.remote_participants) if self._link is not None else {}
        caller = self._caller
        if caller is not None:
            here = people.get(caller.identity)
            if here is not None:
                caller.away_until_s = None
                self._subscribe(caller, here)
                await self._keep_served(caller)
            elif caller.away_until_s is not None and self._loop.time() < caller.away_until_s:
                caller.tell_silence()
            else:
                await self._end_call("caller left")
        if self._caller is None:
            identity = choose_caller(participant_info(p) for p in people.values())
            if identity is not None:
                self._subscribe(self._begin_call(identity), people[identity])
        self._note_ignored(people.values())

    def _subscribe(self, caller: Caller, here: rtc.RemoteParticipant) -> None:
        """Ask for the caller's microphone; again after a while: a request made while the server is away gets lost."""
        if caller.asked_sid is not None and caller.asked_sid not in here.track_publications:
            self._tune_out(caller, "unpublished")
        caller.tell_silence()
        publication = choose_microphone(here.track_publications.values())
        if publication is None or self._link is None or not self._link.up or caller.waits_for_track():
            return
        if caller.asked_sid == publication.sid:
            caller.log.bind(event="subscribe_again", track_sid=publication.sid).warning(
                f"the audio of {caller.identity} has not come, asking for it again"
            )
        caller.ask(publication.sid)
        publication.set_subscribed(True)
        self._look_in(ASK_AGAIN_S + 0.1)

    def _tune_out(self, caller: Caller, why: str) -> None:
        self._tidy(caller.tune_out(why))

    def _tidy(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tidying.add(task)
            task.add_done_callback(self._tidying.discard)

    def _note_ignored(self, people: Iterable[rtc.RemoteParticipant]) -> None:
        for seen in map(participant_info, people):
            mine = self._caller is not None and seen.identity == self._caller.identity
            if seen.audio and not mine and seen.identity not in self._ignored:
                self._ignored.add(seen.identity)
                why = "a bot" if seen.bot else f"listening to {self._caller.identity}" if self._caller else "no caller"
                self._log.bind(event="ignored", identity=seen.identity).info(f"not listening to {seen.identity}: {why}")

    # ------------------------------------------------------------ sessions

    def _begin_call(self, identity: str) -> Caller:
        caller = self._caller = Caller(self._room, identity)
        self._ignored.discard(identity)
        self._serve(caller)
        caller.log.bind(event="listening_to").info(f"listening to {identity}: of those with a microphone the first")
        return caller

    async def _end_call(self, why: str) -> None:
        caller = self._caller
        if caller is None:
            return
        self._tune_out(caller, why)
        await bounded(caller.session.close(), CLOSE_S, "closing the session")
        self._sink.clear()
        self._caller = None
        caller.log.bind(event="call_ended").info(f"call of {caller.identity} ended: {why}")
        self._tell_whom()

    async def _keep_served(self, caller: Caller) -> None:
        """A session that broke is closed and another made after a while; one that is outdated, between two turns."""
        if not caller.waits and (caller.broken or caller.session.outdated):
            if not (caller.broken or caller.session.between_turns):
                self._look_in(LOOK_S)
                return
            await bounded(caller.hold().close(), CLOSE_S, "closing the session before")
        if caller.waits:
            left_s = caller.not_before_s - self._loop.time()
            if left_s > 0:
                self._look_in(left_s)
            else:
                self._serve(caller)

    def _serve(self, caller: Caller) -> None:
        """Make a session for the caller. One that can't be made has broken, as one may later."""
        session_id, before, broken = secrets.token_hex(6), caller.session_id, caller.broken
        made: list[SessionPort] = []

        def tell(message: Mapping[str, Any]) -> None:
            self._events.tell({**message, "session_id": session_id})

        def tap(event: Event) -> None:
            tell(record(event, made[0].origin_us))
            if self._unheard and isinstance(event, PlaybackStarted):
                made[0].cut(UNHEARD)

        def broke(error: Exception) -> None:
            again_s = caller.broke() if caller.session_id == session_id else 0.0
            bound = self._log.bind(event="session_broke", identity=caller.identity, session_id=session_id)
            traced = bound if isinstance(error, UserError) else bound.opt(exception=error)
            traced.error(f"the session broke, another follows in {again_s:.0f} s: {error}")
            tell({"event": "session_broke", "detail": str(error)})
            self._changed.set()

        call = Call(session_id, self._room, caller.identity, self._sink, clock_us, tap, tell, broke)
        caller.begin(session_id)
        try:
            made.append(self._make_session(call))
        except Exception as error:  # of an orchestrator, say: anything
            broke(error)
            return
        caller.serve_with(made[0])
        if caller.broken:
            return  # already
        if broken:
            bound = caller.log.bind(event="session_replaced")
            bound.warning(f"a new session for {caller.identity}: the last one broke")
        elif before is not None:
            self._switched(caller, before)

    def _switched(self, caller: Caller, before: str) -> None:
        graph = caller.session.graph
        bound = caller.log.bind(event="graph_switched", graph=graph, before=before)
        bound.info(f"graph {graph} answers {caller.identity} from now on")
        self._events.tell(
            {"event": "graph_switched", "graph": graph, "before": before, "session_id": caller.session_id}
        )

    def _tell_whom(self, only: str | None = None) -> None:
        """Tell clients who is heard, from when they are: nobody is to talk to a bot that is still deaf."""
        identity = self._caller.identity if self._caller is not None and self._caller.heard else None
        self._events.tell({"event": "listening_to", "identity": identity}, only=only)


def patience_s(*, said_why: bool, up: bool, grace_s: float) -> float:
    """How long to wait for a caller who is gone. The server says why someone left; without a why they may be back."""
    if said_why:
        return 0.0
    return BACK_S if up else grace_s
