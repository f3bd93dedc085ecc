"""The node in a LiveKit room: joins, serves one caller at a time, and joins again after a lost connection."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.room import error_messages
from webapi.voice_node.room.bounded import bounded
from webapi.voice_node.room.connection import Connection, Joiner
from webapi.voice_node.room.data_messages import RoomMessages
from webapi.voice_node.room.host import GRACE_S, Host
from webapi.voice_node.room.removal import remove_participant
from webapi.voice_node.room.session_port import MakeSession
from webapi.voice_node.room.track_reader import reads_ms
from webapi.voice_node.room.track_sink import TrackSink
from webapi.voice_node.room.vacancy import EMPTY_S, Vacancy

# The time limits of each part of leaving a room. With the host's 2.5 s they are less than 5 s in all.
MESSAGES_S = 0.3
LINGER_S = 0.2  # the SDK calls a message sent when it has only queued it; leaving at once would lose the last ones
UNBIND_S = 0.3
DISCONNECT_S = 1.0
ABANDON_S = 0.3

FOR_GOOD = ("ROOM_DELETED", "ROOM_CLOSED")  # of the names of DisconnectReason: the room is over

T = TypeVar("T")


class RemovedError(UserError):
    """An administrator took the bot out of the room, where it must not join again."""


class LiveKitRunner:
    """Serves one room, one caller at a time, each with a session of their own from `make_session`.

    `grace_s`: how long a caller's session outlives a lost connection, in seconds. With `ends_with_room` it does not
    join again after the room was closed, nor after `grace_s` without a server, and leaves a room in which nobody has
    been for vacancy.EMPTY_S. `first_token`: the token for the first join; else the node makes it.
    """

    def __init__(
        self,
        settings: Settings,
        make_session: MakeSession,
        *,
        grace_s: float = GRACE_S,
        ends_with_room: bool = False,
        first_token: str | None = None,
    ) -> None:
        self._settings = settings
        self._make_session = make_session
        self._grace_s = grace_s
        self._ends_with_room = ends_with_room
        self._first_token = first_token
        self._draining = False
        self._host: Host | None = None
        self._messages: RoomMessages | None = None
        self._log = logger.bind(room=settings.lk_room, identity=settings.lk_bot_identity)

    def renew(self) -> None:
        """`make_session` makes other sessions now: an outdated one is replaced between two turns."""
        if self._host is not None:
            self._host.renew()

    def drain(self) -> None:
        """Serve the caller who is there to the end of their call; then leave, and end `run`."""
        self._draining = True
        if self._host is not None:
            self._host.drain()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the room's clients, while the node is in the room."""
        if self._messages is not None:
            self._messages.send(message)

    async def run(self, stop: asyncio.Event, joined: Callable[[], object] | None = None) -> None:
        """Join and serve until `stop` is set; then leave within 5 s. `joined` is called after the first join.

        Raises UserError where the first connection fails, and where the node must not join again: another participant
        took its identity, or an administrator removed it.
        """
        sink, messages = TrackSink(), RoomMessages()
        self._messages = messages
        settings = self._settings
        vacancy = Vacancy(asyncio.get_running_loop().time, EMPTY_S if self._ends_with_room else math.inf)
        remove = partial(remove_participant, settings)
        host = self._host = Host(
            settings.lk_room,
            self._make_session,
            sink,
            messages,
            self._grace_s,
            remove,
            vacancy,
            reads_ms=reads_ms(settings.audio_frame_ms),
        )
        if self._draining:
            host.drain()
        joiner = Joiner(settings, sink, host.register_handlers, self._first_token)
        connection: Connection | None = None
        ending = [asyncio.create_task(each) for each in (stop.wait(), host.run(), vacancy.over.wait())]
        try:
            connection = await _unless(ending, joiner.first())
            if connection is not None and joined is not None:
                joined()
            while connection is not None:
                host.enter(connection)
                if await _unless(ending, connection.gone.wait()) is None:
                    break
                await self._on_lost(connection, host, sink)
                if self._ends_with_room and connection.reason in FOR_GOOD:
                    break
                connection = await _unless(ending, self._again(joiner))
        finally:
            for task in ending:
                task.cancel()
            await asyncio.wait(ending)
            over = connection is not None and connection.reason in FOR_GOOD
            await host.close("left" if over else "node_leaves")
            await messages.close(MESSAGES_S)
            await self._leave(connection, sink)
            await joiner.close(ABANDON_S)

    async def _again(self, joiner: Joiner) -> Connection | None:
        """The next connection; None where the room is given up, because there has been none for `grace_s`."""
        try:
            return await asyncio.wait_for(joiner.again(), self._grace_s if self._ends_with_room else None)
        except asyncio.TimeoutError:
            self._log.bind(event="leave").warning(f"room {self._settings.lk_room} is given up: no server answers")
            return None

    async def _leave(self, connection: Connection | None, sink: TrackSink) -> None:
        """Close the bot's track, and leave the room where the node is in one."""
        if connection is not None and not connection.gone.is_set():
            await asyncio.sleep(LINGER_S)
        await bounded(sink.unbind(), UNBIND_S, "closing the bot's track")
        if connection is not None and not connection.gone.is_set():
            await bounded(connection.room.disconnect(), DISCONNECT_S, "leaving the room")
            self._log.bind(event="leave").info(f"left room {self._settings.lk_room}")

    async def _on_lost(self, connection: Connection, host: Host, sink: TrackSink) -> None:
        """The room is gone. Raises UserError where the node must not join again."""
        for_good = connection.reason in FOR_GOOD
        host.lose(for_good=for_good)
        await sink.unbind()
        settings, why = self._settings, error_messages.why_gone(connection.reason)
        fatal = error_messages.must_give_up(connection.reason, settings.lk_bot_identity, settings.lk_room)
        bound = self._log.bind(event="leave" if for_good or fatal else "reconnecting", reason=connection.reason)
        if fatal:
            bound.error(f"out of room {settings.lk_room}: {why}")
            raise RemovedError(fatal) if connection.reason == "PARTICIPANT_REMOVED" else UserError(fatal)
        level = "INFO" if connection.reason == "ROOM_CLOSED" else "WARNING"  # servers close empty rooms all the time
        again = not (self._ends_with_room and for_good)
        bound.log(level, f"{why}; joining again" if again else why)


async def _unless(ending: list[asyncio.Task[Any]], work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`. None where one of `ending` is done before it; an error of that one is raised."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task, *ending], return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    if not task.cancelled():
        return task.result()
    for end in ending:
        if end.done():
            end.result()
    return None
