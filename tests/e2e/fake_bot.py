"""A bot for tests of the page: a real participant whose events the test sends."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import timedelta
from types import TracebackType

import numpy as np
from livekit import api, rtc

from webapi.voice_node.config import DEV_KEY, DEV_SECRET

RATE = 48_000
PIECE = RATE // 50  # 20 ms
TONE_HZ = 450  # nine whole waves in a piece: no clicks between them
TOPIC = "voice_node.events"


def token(
    identity: str,
    room: str = "demo",
    *,
    bot: bool = False,
    agent: bool | None = None,
    speak: bool = True,
    secret: str = DEV_SECRET,
    ttl: timedelta = timedelta(minutes=10),
) -> str:
    """A token of the development key; with another `secret`, a token that the server refuses.

    A bot may send data, and is of kind agent unless `agent` says otherwise.
    """
    grants = api.VideoGrants(room_join=True, room=room, can_publish=speak, can_publish_data=bot)
    made = api.AccessToken(DEV_KEY, secret).with_identity(identity).with_grants(grants).with_ttl(ttl)
    return made.with_kind("agent" if (bot if agent is None else agent) else "standard").to_jwt()


class FakeBot:
    """Publishes bot_out, a tone while `loud` is set, and sends messages as the node does.

    With `agent=False` it is a participant that pretends to be the bot.
    """

    def __init__(self, url: str, room: str, identity: str = "ingobot", *, agent: bool = True) -> None:
        self._url, self._name, self._identity, self._agent = url, room, identity, agent
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        self._listeners: list[asyncio.Task[None]] = []
        self.room = rtc.Room()
        self.room.on("track_subscribed", self._subscribed)
        self.loud = False
        self.heard = asyncio.Event()  # a caller's audio that is not silent has come
        self.caller_left = asyncio.Event()

    async def __aenter__(self) -> FakeBot:
        self.room.on("participant_disconnected", lambda _: self.caller_left.set())
        await self.room.connect(self._url, token(self._identity, self._name, bot=True, agent=self._agent))
        track = rtc.LocalAudioTrack.create_audio_track("bot_out", self._source)
        await self.room.local_participant.publish_track(track)
        self._playing = asyncio.create_task(self._play())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [self._playing, *self._listeners]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.room.disconnect()
        await self._source.aclose()

    async def send(self, event: str, **fields: object) -> None:
        line = {"event": event, "session_id": "s1", **fields}
        await self.room.local_participant.publish_data(json.dumps(line), topic=TOPIC)

    async def _play(self) -> None:
        """Push audio without pauses: `capture_frame` waits while the queue is full."""
        tone = (0.3 * 32767 * np.sin(np.arange(PIECE) / RATE * 2 * math.pi * TONE_HZ)).astype("<i2").tobytes()
        while True:
            pcm = tone if self.loud else bytes(2 * PIECE)
            await self._source.capture_frame(rtc.AudioFrame(pcm, RATE, 1, PIECE))

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack):
            self._listeners.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, capacity=50)
        try:
            async for event in stream:
                if np.abs(np.frombuffer(event.frame.data, "<i2")).max(initial=0) > 1000:
                    self.heard.set()
        finally:
            await stream.aclose()
