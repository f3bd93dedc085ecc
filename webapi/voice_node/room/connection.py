"""One connection to a LiveKit room: joined and published to, or an exception and nothing left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import timedelta

from livekit import rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc.participant import PublishTrackError
from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.room import error_messages
from webapi.voice_node.room.own_events import new_room
from webapi.voice_node.room.tokens import mint
from webapi.voice_node.room.track_sink import TrackSink

FIRST_JOIN_S = 10.0  # the SDK alone tries for 32 s where a server accepts the connection and sends nothing
JOIN_S = 40.0
PUBLISH_S = 10.0
SOON_S = 3.0  # for the first track of a call: some 0.1 s as a rule
MIN_PAUSE_S, MAX_PAUSE_S = 0.5, 3.0  # between two tries; the longest is silence for the caller after the server is back
TOKEN_TTL = timedelta(hours=1)  # the server renews the token while the node is connected
FAILURES = (rtc.ConnectError, PublishTrackError, asyncio.TimeoutError)


class NotPublishedError(asyncio.TimeoutError):
    """The room was joined, and there was no answer to the track."""


class Connection:
    """A room, whether the node is still in it, and why not."""

    def __init__(self) -> None:
        self.room = new_room()
        self.gone = asyncio.Event()
        self.reason = ""  # the name of a DisconnectReason, once `gone` is set
        self.room.on("disconnected", self._on_disconnected)

    @property
    def up(self) -> bool:
        """Connected now: not gone, and the SDK does not try to reconnect."""
        return self.room.connection_state == rtc.ConnectionState.CONN_CONNECTED

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self.reason = rtc.DisconnectReason.Name(reason)
        self.gone.set()


class Joiner:
    """Makes connections: the first one, and one after each loss. `prepare` gets each connection before it is made.

    `first_token`: the token for the first one, where LiveKit gave one with the call.
    """

    def __init__(
        self,
        settings: Settings,
        sink: TrackSink,
        prepare: Callable[[Connection], None],
        first_token: str | None = None,
    ) -> None:
        self._settings = settings
        self._first_token = first_token
        self._sink = sink
        self._prepare = prepare
        self._abandoned: set[asyncio.Task[None]] = set()
        self._log = logger.bind(room=settings.lk_room, identity=settings.lk_bot_identity)

    async def first(self) -> Connection:
        """Join, with FIRST_JOIN_S for the connection. Raises UserError, with cause and remedy, where that fails.

        Where many rooms are joined at once, livekit 1.1.21 never answers to the track of one in a hundred; joined once
        more, it does.
        """
        url = self._settings.livekit_url
        try:
            try:
                return await self._join(FIRST_JOIN_S, SOON_S)
            except NotPublishedError:
                self._log.bind(event="reconnecting").warning("no answer to the bot's track; joining once more")
                return await self._join(FIRST_JOIN_S, PUBLISH_S)
        except rtc.ConnectError as error:
            text = error_messages.why_not_connected(url, error.message)
        except PublishTrackError as error:
            text = f"LIVEKIT_URL={url}: joined, but the server does not take the node's track ({error.message})"
        except NotPublishedError:
            text = f"LIVEKIT_URL={url}: joined, but the server does not answer to the node's track"
        except asyncio.TimeoutError:
            text = error_messages.timed_out(url, FIRST_JOIN_S)
        raise UserError(text)

    async def again(self) -> Connection:
        """Join; try until it works, with growing pauses."""
        for attempt, pause_s in enumerate(backoff(random.uniform), 1):
            await asyncio.sleep(pause_s)
            try:
                connection = await self._join(JOIN_S, PUBLISH_S)
            except FAILURES as error:
                why = error_messages.short(getattr(error, "message", "")) or "no answer"
                self._log.bind(event="reconnecting", attempt=attempt).warning(f"could not join again: {why}")
            else:
                self._log.bind(event="reconnected", attempt=attempt).info("joined again")
                return connection
        raise AssertionError("backoff never ends")

    async def close(self, timeout_s: float) -> None:
        """Leave the rooms of connections that were given up while they were made."""
        if self._abandoned:
            _, hanging = await asyncio.wait(self._abandoned, timeout=timeout_s)
            for task in hanging:
                task.cancel()
            if hanging:
                await asyncio.wait(hanging)

    async def _join(self, timeout_s: float, publish_s: float) -> Connection:
        # The track comes at once after the join: with some 0.2 s between, its negotiation often met the first one's,
        # and livekit 1.1.21 then hung (4 of 320 joins, 16 at a time; without a pause none of 480).
        await asyncio.wait_for(self._sink.prepare(), PUBLISH_S)
        settings, connection = self._settings, Connection()
        self._prepare(connection)
        given, self._first_token = self._first_token, None
        token = given or mint(settings, settings.lk_bot_identity, settings.lk_room, bot=True, ttl=TOKEN_TTL)
        options = rtc.RoomOptions(auto_subscribe=False)
        connecting = asyncio.create_task(connection.room.connect(settings.livekit_url, token, options))
        try:
            await asyncio.wait_for(asyncio.shield(connecting), timeout_s)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            self._abandon(connection, connecting)
            raise
        self._log.bind(event="join", url=settings.livekit_url).info(
            f"joined room {settings.lk_room} as {settings.lk_bot_identity}"
        )
        try:
            sid = await asyncio.wait_for(self._sink.publish(connection.room, settings.publish_track_name), publish_s)
        except BaseException as error:
            self._abandon(connection, connecting)
            if isinstance(error, asyncio.TimeoutError):
                raise NotPublishedError from error
            raise
        self._log.bind(event="publish", track=settings.publish_track_name, track_sid=sid).info(
            f"publishing {settings.publish_track_name}"
        )
        return connection

    def _abandon(self, connection: Connection, connecting: asyncio.Task[None]) -> None:
        """Leave the room as soon as it is joined: the native side can't stop connecting, and would stay in the room."""

        async def leave() -> None:
            try:
                await asyncio.wait([connecting])
            finally:
                if connecting.cancel():
                    await asyncio.wait([connecting])
                    _unsubscribe(connection.room)
            if connecting.exception() is None:
                await connection.room.disconnect()

        task = asyncio.create_task(leave(), name="livekit-abandon")
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)


def _unsubscribe(room: rtc.Room) -> None:
    """Remove the queue of a cancelled `connect`. Livekit 1.1.21 does not, and the queue would grow without end."""
    queue = getattr(room, "_ffi_queue", None)
    if queue is not None:
        FfiClient.instance.queue.unsubscribe(queue)


def backoff(uniform: Callable[[float, float], float]) -> Iterator[float]:
    """The pauses before each try, in seconds, without end: they double from MIN_PAUSE_S to MAX_PAUSE_S.

    Each is shortened by up to a half, by `uniform(low, high)`, so that many nodes do not come back all at once.
    """
    longest_s = MIN_PAUSE_S
    while True:
        yield uniform(longest_s / 2, longest_s)
        longest_s = min(MAX_PAUSE_S, longest_s * 2)
