"""The node in a LiveKit room: joins, listens to one caller, speaks, and comes back when the connection goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.room import error_messages
from webapi.voice_node.room.connection import Connection, Joiner, bounded
from webapi.voice_node.room.data_messages import RoomEvents
from webapi.voice_node.room.host import GRACE_S, Host
from webapi.voice_node.room.session_port import MakeSession
from webapi.voice_node.room.track_sink import LiveKitSink

# What each part of leaving may take; with the host's 2.5 s less than 5 s in all.
EVENTS_S = 0.3
LINGER_S = 0.2  # the SDK calls a message sent that it has only queued; leaving at once would lose the last ones
UNBIND_S = 0.3
DISCONNECT_S = 1.0
ABANDON_S = 0.3

T = TypeVar("T")


class LiveKitRunner:
    """Serves one room, one caller at a time, each with a session of their own from `make_session`."""

    def __init__(self, settings: Settings, make_session: MakeSession, *, grace_s: float = GRACE_S) -> None:
        self._settings = settings
        self._make_session = make_session
        self._grace_s = grace_s
        self._host: Host | None = None
        self._events: RoomEvents | None = None
        self._log = logger.bind(room=settings.lk_room, identity=settings.lk_bot_identity)

    def renew(self) -> None:
        """`make_session` makes other sessions now: those that are outdated are replaced, each between two turns."""
        if self._host is not None:
            self._host.renew()

    def tell(self, message: Mapping[str, Any]) -> None:
        """Tell the room's clients, while the node is in it."""
        if self._events is not None:
            self._events.tell(message)

    async def run(self, stop: asyncio.Event, joined: Callable[[], object] | None = None) -> None:
        """Join and serve until `stop` is set; then leave within 5 s, whatever hangs. `joined` is called the first time.

        Raises UserError where the first connection fails, and where coming back would be wrong: another took the
        node's identity, or an administrator removed it.
        """
        settings = self._settings
        sink, events = LiveKitSink(), RoomEvents()
        self._events = events
        host = self._host = Host(settings.lk_room, self._make_session, sink, events, self._grace_s)
        joiner = Joiner(settings, sink, host.attend)
        link: Connection | None = None
        ending = [asyncio.create_task(stop.wait()), asyncio.create_task(host.tend())]
        try:
            link = await _unless(ending, joiner.first())
            if link is not None and joined is not None:
                joined()
            while link is not None:
                host.enter(link)
                if await _unless(ending, link.gone.wait()) is None:
                    break
                await self._lost(link, host, sink)
                link = await _unless(ending, joiner.again())
        finally:
            for task in ending:
                task.cancel()
            await asyncio.wait(ending)
            await host.close()
            await events.close(EVENTS_S)
            if link is not None and not link.gone.is_set():
                await asyncio.sleep(LINGER_S)
            await bounded(sink.unbind(), UNBIND_S, "closing the bot's track")
            if link is not None and not link.gone.is_set():
                await bounded(link.room.disconnect(), DISCONNECT_S, "leaving the room")
                self._log.bind(event="leave").info(f"left room {settings.lk_room}")
            await joiner.close(ABANDON_S)

    async def _lost(self, link: Connection, host: Host, sink: LiveKitSink) -> None:
        """The room is gone. UserError where the node is not to come back."""
        for_good = link.reason in ("ROOM_DELETED", "ROOM_CLOSED")
        host.lose(for_good=for_good)
        await sink.unbind()
        settings = self._settings
        fatal = error_messages.must_give_up(link.reason, settings.lk_bot_identity, settings.lk_room)
        bound = self._log.bind(event="leave" if for_good or fatal else "reconnecting", reason=link.reason)
        if fatal:
            bound.error(f"out of room {settings.lk_room}: {error_messages.why_gone(link.reason)}")
            raise UserError(fatal)
        level = "INFO" if link.reason == "ROOM_CLOSED" else "WARNING"  # of a node that waits, that is each day's work
        bound.log(level, f"{error_messages.why_gone(link.reason)}; joining again")


async def _unless(ending: list[asyncio.Task[Any]], work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives; None where one of `ending` is done before it, whose error is then raised."""
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
