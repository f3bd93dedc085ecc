"""Sends JSON messages to the room's clients, on one data topic, and words as text streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from livekit import rtc
from loguru import logger

from webapi.voice_node.files.json_line import json_line
from webapi.voice_node.room import text_streams
from webapi.voice_node.room.text_streams import TextStream

TOPIC = "voice_node.events"
MAX_WAITING = 256  # messages; a turn makes about ten
SEND_S = 2.0  # a message that takes longer is dropped

Send: TypeAlias = Callable[[rtc.LocalParticipant], Coroutine[Any, Any, None]]


class RoomMessages:
    """Messages to the room's clients, in order. `send` never waits: what can't be sent is dropped and counted.

    While `room` is None messages are dropped silently, as no client is connected.
    """

    def __init__(self) -> None:
        self.room: rtc.Room | None = None
        self.dropped = 0
        self._waiting: asyncio.Queue[Send] = asyncio.Queue(MAX_WAITING)
        self._failing = False
        self._sender = asyncio.create_task(self._send_all(), name="livekit-events")

    def send(self, message: Mapping[str, Any], *, only: str | None = None) -> None:
        """Queue a message to all clients, or only to the client with the identity `only`."""
        payload, to = json_line(message).rstrip().encode(), [only] if only else []
        self._queue(lambda me: me.publish_data(payload, reliable=True, destination_identities=to, topic=TOPIC))

    def send_text(self, stream: TextStream) -> None:
        """Queue words to all clients."""

        async def send(me: rtc.LocalParticipant) -> None:
            writer = await me.stream_text(
                topic=text_streams.TOPIC, attributes=stream.attributes, sender_identity=stream.speaker
            )
            await writer.write(stream.text)
            await writer.aclose()

        self._queue(send)

    def _queue(self, send: Send) -> None:
        if self.room is None:
            return
        try:
            self._waiting.put_nowait(send)
        except asyncio.QueueFull:
            self._drop("the sender is too slow")

    async def close(self, timeout_s: float) -> None:
        """Send what is queued, for `timeout_s` seconds at most, and end."""
        joining = asyncio.ensure_future(self._waiting.join())
        await asyncio.wait([joining], timeout=timeout_s)
        for task in (joining, self._sender):
            task.cancel()
        await asyncio.wait([joining, self._sender])

    async def _send_all(self) -> None:
        while True:
            send = await self._waiting.get()
            room = self.room
            try:
                if room is not None:
                    await asyncio.wait_for(send(room.local_participant), SEND_S)
                    self._failing = False
            except Exception as error:
                self._drop(str(getattr(error, "message", "")) or repr(error))
            finally:
                self._waiting.task_done()

    def _drop(self, why: str) -> None:
        self.dropped += 1
        if not self._failing:  # logged once, until a message gets through
            logger.bind(event="events_dropped", dropped=self.dropped).warning(f"events do not reach the room: {why}")
        self._failing = True
