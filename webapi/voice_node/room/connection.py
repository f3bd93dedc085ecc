"""One connection to a LiveKit room: joined and published to, or an exception and nothing left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

from livekit import rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc.participant import PublishTrackError
from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.room import error_messages
from webapi.voice_node.room.tokens import mint
from webapi.voice_node.room.track_sink import LiveKitSink

FIRST_JOIN_S = 10.0  # the SDK alone would try for 32 s where somebody takes the connection and says nothing
JOIN_S = 40.0
PUBLISH_S = 10.0
BACKOFF_S = (0.5, 10.0)
TOKEN_TTL = timedelta(hours=1)  # the server renews it while the node is connected
FAILURES = (rtc.ConnectError, PublishTrackError, asyncio.TimeoutError)


class Connection:
    """A room, whether it is still there, and why not."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.gone = asyncio.Event()
        self.reason = ""  # the name of a DisconnectReason, once gone
        self.room.on("disconnected", self._disconnected)

    @property
    def up(self) -> bool:
        """Connected now: not gone, and the SDK is not trying to get the connection back."""
        return self.room.connection_state == rtc.ConnectionState.CONN_CONNECTED

    def _disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self.reason = rtc.DisconnectReason.Name(reason)
        self.gone.set()


class Joiner:
    """Makes links, the first one and those after a loss. `prepare` gets each room before it connects."""

    def __init__(self, settings: Settings, sink: LiveKitSink, prepare: Callable[[Connection], None]) -> None:
        self._settings = settings
        self._sink = sink
        self._prepare = prepare
        self._abandoned: set[asyncio.Task[None]] = set()
        self._log = logger.bind(room=settings.lk_room, identity=settings.lk_bot_identity)

    async def first(self) -> Connection:
        """Join, within FIRST_JOIN_S for the connection. UserError where that fails: what happened, and what to try."""
        url = self._settings.livekit_url
        try:
            return await self._join(FIRST_JOIN_S)
        except rtc.ConnectError as error:
            said = error_messages.why_not_connected(url, error.message)
        except PublishTrackError as error:
            said = f"LIVEKIT_URL={url}: joined, but the server does not take the node's track ({error.message})"
        except asyncio.TimeoutError:
            said = error_messages.timed_out(url, FIRST_JOIN_S)
        raise UserError(said)

    async def again(self) -> Connection:
        """Join, trying until it works, with growing pauses between."""
        for attempt, pause_s in enumerate(backoff(random.uniform), 1):
            await asyncio.sleep(pause_s)
            try:
                link = await self._join(JOIN_S)
            except FAILURES as error:
                said = error_messages.short(getattr(error, "message", "")) or "no answer"
                self._log.bind(event="reconnecting", attempt=attempt).warning(f"could not join again: {said}")
            else:
                self._log.bind(event="reconnected", attempt=attempt).info("joined again")
                return link
        raise AssertionError("the pauses never end")

    async def close(self, timeout_s: float) -> None:
        """Give up connections that were still being made."""
        if self._abandoned:
            _, hanging = await asyncio.wait(self._abandoned, timeout=timeout_s)
            for task in hanging:
                task.cancel()
            if hanging:
                await asyncio.wait(hanging)

    async def _join(self, timeout_s: float) -> Connection:
        settings, link = self._settings, Connection()
        self._prepare(link)
        token = mint(settings, settings.lk_bot_identity, settings.lk_room, bot=True, ttl=TOKEN_TTL)
        options = rtc.RoomOptions(auto_subscribe=False)
        connecting = asyncio.create_task(link.room.connect(settings.livekit_url, token, options))
        try:
            await asyncio.wait_for(asyncio.shield(connecting), timeout_s)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            self._abandon(link, connecting)
            raise
        self._log.bind(event="join", url=settings.livekit_url).info(
            f"joined room {settings.lk_room} as {settings.lk_bot_identity}"
        )
        try:
            sid = await asyncio.wait_for(self._sink.publish(link.room, settings.publish_track_name), PUBLISH_S)
        except BaseException:
            self._abandon(link, connecting)
            raise
        self._log.bind(event="publish", track=settings.publish_track_name, track_sid=sid).info(
            f"publishing {settings.publish_track_name}"
        )
        return link

    def _abandon(self, link: Connection, connecting: asyncio.Task[None]) -> None:
        """The native side can't be told to stop connecting: leave when it has, or a ghost stays in the room."""

        async def leave() -> None:
            try:
                await asyncio.wait([connecting])
            finally:
                if connecting.cancel():
                    await asyncio.wait([connecting])
                    _forget(link.room)
            if connecting.exception() is None:
                await link.room.disconnect()

        task = asyncio.create_task(leave(), name="livekit-abandon")
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)


def _forget(room: rtc.Room) -> None:
    """Livekit 1.1.21 leaves the queue of a cancelled `connect` subscribed: it would take all events, for ever."""
    queue = getattr(room, "_ffi_queue", None)
    if queue is not None:
        FfiClient.instance.queue.unsubscribe(queue)


def backoff(uniform: Callable[[float, float], float]) -> Iterator[float]:
    """Seconds to wait before each try, without end: doubling from 0.5 to 10, each cut by up to a half by `uniform`."""
    shortest, longest = BACKOFF_S
    ceiling = shortest
    while True:
        yield uniform(ceiling / 2, ceiling)
        ceiling = min(longest, ceiling * 2)


async def bounded(work: Coroutine[Any, Any, Any], timeout_s: float, what: str) -> None:
    """Do `work`, but no longer than that: then it is cancelled, left behind, and logged. Its errors are logged too."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=timeout_s)
    finally:
        hanging = task.cancel()
    if hanging:
        await asyncio.sleep(0)
        logger.bind(event="hanging").warning(f"{what} took longer than {timeout_s:.1f} s and was given up")
    elif not task.cancelled() and (error := task.exception()) is not None:
        logger.bind(event="edge_failed").opt(exception=error).error(f"{what} failed")
