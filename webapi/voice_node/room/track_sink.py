"""Where the bot's voice leaves for the room: an audio track, and a queue in front of it that can be called back."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from livekit import rtc
from loguru import logger

from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ
from webapi.voice_node.playback.fades import fade_out
from webapi.voice_node.room.drop_counter import DropCounter
from webapi.voice_node.room.track_queue import TICK_BYTES, TICK_S, Ticks, TrackQueue

QUEUE_MS = 1_000  # of the track. Depth costs nothing at a barge-in: a clear empties it whole
PIECE_BYTES = ROOM_RATE_HZ // 50 * BYTES_PER_SAMPLE  # 20 ms: a longer frame is not called back whole by a clear
MAX_WAITING = 100  # pieces (2 s); more can only pile up where the native side hangs
# Opus takes 20 ms at a time: without these 10 ms what comes last would be sent with the first of what comes next.
QUIET = bytes(TICK_BYTES)
LEARNT = 10  # ticks


class LiveKitSink:
    """A `Sink`: `push` and `clear` return at once; a task carries the audio to the track.

    It outlives rooms: `publish` binds it to one, `unbind` takes it off. What is pushed in between is not heard by
    anybody and not kept. `unbind` also ends it: no task is left.
    """

    def __init__(self) -> None:
        self._source: rtc.AudioSource | None = None
        self._playout: TrackQueue | None = None
        self._waiting: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._filling: asyncio.TimerHandle | None = None
        self._clears = 0
        self._dropped = DropCounter()  # pieces that found MAX_WAITING others waiting

    async def publish(self, room: rtc.Room, name: str) -> str:
        """Publish a fresh track as the bot's microphone; its sid. Raises what `publish_track` raises."""
        await self.unbind()
        source = rtc.AudioSource(ROOM_RATE_HZ, 1, queue_size_ms=QUEUE_MS)
        try:
            playout = TrackQueue(await learn_ticks(source))
            track = rtc.LocalAudioTrack.create_audio_track(name, source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            publication = await room.local_participant.publish_track(track, options)
        except BaseException:
            await source.aclose()
            raise
        self._source, self._playout = source, playout
        self._pump = asyncio.create_task(self._carry(source, playout), name="livekit-sink")
        return publication.sid

    async def unbind(self) -> None:
        """Forget the room; what was queued for it goes."""
        self.clear()
        self._tell_dropped(self._dropped.rest())
        source, self._source = self._source, None
        pump, self._pump = self._pump, None
        if self._filling is not None:
            self._filling.cancel()
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])
        if source is not None:
            await source.aclose()

    def push(self, pcm: bytes) -> None:
        """Queue 48 kHz int16 mono PCM."""
        if self._source is None:
            return
        for at in range(0, len(pcm), PIECE_BYTES):
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(pcm[at : at + PIECE_BYTES])
            else:
                self._tell_dropped(self._dropped.add(1))
        self._more.set()

    def clear(self) -> None:
        """Everything pushed and not yet played goes, at once; what would have come next fades out within 10 ms."""
        if self._source is None or self._playout is None:
            return
        self._source.clear_queue()
        self._clears += 1
        left = self._playout.clear(time.monotonic())
        fade = b"" if left is None else fade_out(left + b"".join(self._waiting))
        self._waiting.clear()
        if left is None or fade:
            self.push(fade + bytes(-len(fade) % TICK_BYTES) + QUIET)

    def _tell_dropped(self, frames: int) -> None:
        if frames:
            bound = logger.bind(event="frames_dropped", frames=frames, buffer_frames=MAX_WAITING)
            bound.warning(f"{frames} frames of the bot's voice dropped: its track takes no more")

    async def _carry(self, source: rtc.AudioSource, playout: TrackQueue) -> None:
        failing = False
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                wait_s = playout.wait_s(time.monotonic())
                if wait_s:
                    await asyncio.sleep(wait_s)
                    continue
                pcm, clears = self._waiting.popleft(), self._clears
                playout.put(pcm, time.monotonic())
                frame = rtc.AudioFrame(pcm, ROOM_RATE_HZ, 1, len(pcm) // BYTES_PER_SAMPLE)
                try:
                    await source.capture_frame(frame)
                except Exception as error:
                    if not failing:  # said once, not fifty times a second
                        logger.bind(event="sink_failed").exception(f"the bot's track takes no audio: {error}")
                    failing = True
                else:
                    failing = False
                if clears != self._clears:
                    source.clear_queue()  # it was on its way when the queue was cleared
            self._fill_up_soon(playout)

    def _fill_up_soon(self, playout: TrackQueue) -> None:
        """Shortly before the queue runs dry: a rest of less than 10 ms would stay in it, and begin the next reply."""
        if self._filling is not None:
            self._filling.cancel()
        rest = len(playout.left(time.monotonic()))

        def fill_up() -> None:
            left = len(playout.left(time.monotonic()))
            if left % TICK_BYTES and not self._waiting:
                self.push(bytes(-left % TICK_BYTES) + QUIET)

        if rest % TICK_BYTES:
            due_s = (rest // TICK_BYTES - 1) * TICK_S
            self._filling = asyncio.get_running_loop().call_later(max(0.0, due_s), fill_up)


async def learn_ticks(source: rtc.AudioSource) -> Ticks:
    """Find out when a fresh source takes audio from its queue, by filling it with silence: 0.15 s."""
    silence = rtc.AudioFrame(bytes(TICK_BYTES), ROOM_RATE_HZ, 1, TICK_BYTES // BYTES_PER_SAMPLE)
    stamps = []
    for _ in range(QUEUE_MS // 10 + 2 * LEARNT):
        await source.capture_frame(silence)
        stamps.append(time.monotonic())
    source.clear_queue()
    return Ticks(stamps[-LEARNT:])
