"""Makes a session for each caller, and replaces one that broke or whose graph is outdated."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from loguru import logger

from webapi.voice_node.errors import UserError, as_exception
from webapi.voice_node.events import Event, PlaybackStarted, record
from webapi.voice_node.room.bounded import bounded
from webapi.voice_node.room.caller import Caller
from webapi.voice_node.room.data_messages import RoomMessages
from webapi.voice_node.room.session_port import MakeSession, PendingSession, SessionPort, SessionRequest, clock_us
from webapi.voice_node.room.text_streams import TextStreams
from webapi.voice_node.room.track_sink import TrackSink

POLL_S = 0.1  # how often an outdated session is looked at, until it is between two turns
CLOSE_S = 2.2  # the time limit for closing a session, which promises 2 s
UNHEARD = "connection lost"


class SessionKeeper:
    """The sessions of one room, one caller at a time. `changed` makes the host look at the room again."""

    def __init__(
        self, room: str, make_session: MakeSession, sink: TrackSink, messages: RoomMessages, changed: asyncio.Event
    ) -> None:
        self._room = room
        self._make_session = make_session
        self._sink = sink
        self._messages = messages
        self._changed = changed
        self._unheard = False
        self._loop = asyncio.get_running_loop()
        self._log = logger.bind(room=room)

    def set_unheard(self, unheard: bool, caller: Caller | None) -> None:
        """Note whether the connection is lost. Where it is, a reply that plays ends, and so does each later one."""
        self._unheard = unheard
        if unheard and caller is not None:
            caller.session.cut(UNHEARD)

    async def maintain(self, caller: Caller) -> None:
        """Replace a session that broke, after a pause, and an outdated one, between two turns."""
        if not caller.is_waiting and (caller.broken or caller.session.outdated):
            if not (caller.broken or caller.session.between_turns):
                self._look_again_in(POLL_S)
                return
            why = "the session broke" if caller.broken else "the graph was changed"
            await bounded(caller.detach_session().close(why), CLOSE_S, "closing the session before")
        if caller.is_waiting:
            left_s = caller.not_before_s - self._loop.time()
            if left_s > 0:
                self._look_again_in(left_s)
            else:
                self.serve(caller)

    def serve(self, caller: Caller) -> None:
        """Make a session for the caller. One that can't be made is treated as one that broke."""
        session_id, before, replaces_broken = secrets.token_hex(6), caller.session_id, caller.broken
        made: list[SessionPort] = []
        request = self._request(caller, session_id, made)
        caller.begin_session(session_id)
        try:
            made.append(self._make_session(request))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an orchestrator may raise anything
            request.broke(as_exception(error))
            return
        caller.attach_session(made[0])
        if caller.broken:
            return  # while it was made
        if replaces_broken:
            bound = caller.log.bind(event="session_replaced")
            bound.warning(f"a new session for {caller.identity}: the last one broke")
        elif before is not None:
            self._report_switch(caller, before)

    async def end(self, caller: Caller, reason: str) -> None:
        """Close the caller's session, within CLOSE_S, and drop what is still to be played of it."""
        await bounded(caller.session.close(reason), CLOSE_S, "closing the session")
        self._sink.clear()

    def _request(self, caller: Caller, session_id: str, made: list[SessionPort]) -> SessionRequest:
        """What the session is made from. `made` holds the session once it is made."""

        def send(message: Mapping[str, Any]) -> None:
            self._messages.send({**message, "session_id": session_id})

        streams = TextStreams(caller.identity)

        def tap(event: Event) -> None:
            send(record(event, made[0].origin_us))
            stream = streams.of(event)
            if stream is not None:
                self._messages.send_text(stream)
            if self._unheard and isinstance(event, PlaybackStarted):
                made[0].cut(UNHEARD)

        def broke(error: Exception) -> None:
            again_s = caller.session_broke() if caller.session_id == session_id else 0.0
            bound = self._log.bind(event="session_broke", identity=caller.identity, session_id=session_id)
            traced = bound if isinstance(error, UserError) else bound.opt(exception=error)
            traced.error(f"the session broke, another follows in {again_s:.0f} s: {error}")
            send({"event": "session_broke", "detail": str(error)})
            self._changed.set()

        def hang_up(reason: str) -> None:
            caller.hung_up = reason
            self._changed.set()

        since_us = caller.session.since_us if isinstance(caller.session, PendingSession) else None
        since_us = clock_us() if since_us is None else since_us
        return SessionRequest(
            session_id, self._room, caller.info, self._sink, clock_us, since_us, tap, send, broke, hang_up
        )

    def _report_switch(self, caller: Caller, before: str) -> None:
        """Log and send that a session with another graph has replaced session `before`."""
        graph = caller.session.graph
        bound = caller.log.bind(event="graph_switched", graph=graph, before=before)
        bound.info(f"graph {graph} answers {caller.identity} from now on")
        self._messages.send(
            {"event": "graph_switched", "graph": graph, "before": before, "session_id": caller.session_id}
        )

    def _look_again_in(self, seconds: float) -> None:
        self._loop.call_later(seconds, self._changed.set)
