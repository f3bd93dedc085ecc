"""Where the bot's voice leaves for the room: an audio track, and a queue in front of it that can be called back."""

from __future__ import annotations

import asyncio
from collections import deque

from livekit import rtc
from loguru import logger

RATE_HZ = 48_000
BYTES_PER_SAMPLE = 2
QUEUE_MS = 1_000  # of the track. Depth costs nothing at a barge-in: a clear empties it whole
MAX_WAITING = 100  # pieces (2 s at 20 ms); more can only pile up where the native side hangs


class LiveKitSink:
    """A `Sink`: `push` and `clear` return at once; a task carries the audio to the track.

    It outlives rooms: `publish` binds it to one, `unbind` takes it off. What is pushed in between is not heard by
    anybody and not kept. `unbind` also ends it: no task is left.
    """

    def __init__(self) -> None:
        self._source: rtc.AudioSource | None = None
        self._waiting: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self.dropped = 0  # pieces that found MAX_WAITING others waiting

    async def publish(self, room: rtc.Room, name: str) -> str:
        """Publish a fresh track as the bot's microphone; its sid. Raises what `publish_track` raises."""
        await self.unbind()
        source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=QUEUE_MS)
        track = rtc.LocalAudioTrack.create_audio_track(name, source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        try:
            publication = await room.local_participant.publish_track(track, options)
        except BaseException:
            await source.aclose()
            raise
        self._source = source
        self._pump = asyncio.create_task(self._carry(source), name="livekit-sink")
        return publication.sid

    async def unbind(self) -> None:
        """Forget the room; what was queued for it goes."""
        self.clear()
        source, self._source = self._source, None
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])
        if source is not None:
            await source.aclose()

    def push(self, pcm: bytes) -> None:
        """Queue at most 20 ms of 48 kHz int16 mono PCM."""
        if self._source is None:
            return
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append(pcm)
        self._more.set()

    def clear(self) -> None:
        """Everything pushed and not yet played goes, at once."""
        self._waiting.clear()
        if self._source is not None:
            self._source.clear_queue()

    async def _carry(self, source: rtc.AudioSource) -> None:
        failing = False
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                pcm = self._waiting.popleft()
                frame = rtc.AudioFrame(pcm, RATE_HZ, 1, len(pcm) // BYTES_PER_SAMPLE)
                try:
                    await source.capture_frame(frame)
                except Exception as error:
                    if not failing:  # said once, not fifty times a second
                        logger.bind(event="sink_failed").exception(f"the bot's track takes no audio: {error}")
                    failing = True
                else:
                    failing = False
