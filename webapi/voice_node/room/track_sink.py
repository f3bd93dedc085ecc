"""Plays the bot's audio on a track of the room, through a queue that can be cleared."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from livekit import rtc
from loguru import logger

from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ
from webapi.voice_node.playback.fades import fade_out
from webapi.voice_node.room.drop_counter import DropCounter
from webapi.voice_node.room.own_events import new_source
from webapi.voice_node.room.track_queue import TICK_BYTES, TICK_S, Ticks, TrackQueue

QUEUE_MS = 1_000  # of the track. A long queue costs nothing at a barge-in, as a clear empties all of it
PIECE_BYTES = ROOM_RATE_HZ // 50 * BYTES_PER_SAMPLE  # 20 ms: a clear would not remove a longer frame completely
MAX_WAITING = 100  # pieces (2 s); more of them wait only where the native side hangs
# Opus encodes 20 ms at a time: without these 10 ms the last piece would be sent with the beginning of the next reply.
QUIET = bytes(TICK_BYTES)
LEARNING_TICKS = 10
# The source is encoded while the bot is silent, too. Up to 56 kbit/s libopus takes its speech coder for that (SILK),
# which costs three times as much processor time as the other one (CELT). Silence is not sent with either.
BITS_PER_S = 64_000


class TrackSink:
    """A `Sink` for 48 kHz int16 mono: `push` and `clear` return at once, and a task carries the audio to the track.

    It outlives rooms: `prepare` comes before a room is joined, `publish` binds it to the room, `unbind` takes it off.
    Audio that is pushed in between is dropped. After `unbind` no task is left.
    """

    def __init__(self) -> None:
        self._prepared: tuple[rtc.AudioSource, TrackQueue] | None = None  # of the next track
        self._source: rtc.AudioSource | None = None
        self._queue: TrackQueue | None = None  # what is in the source
        self._waiting: deque[bytes] = deque()  # what is to go into the source
        self._more = asyncio.Event()
        self._carrying: asyncio.Task[None] | None = None
        self._filling: asyncio.TimerHandle | None = None
        self._clears = 0
        self._padded = 0  # bytes of silence behind the last audio that was pushed
        self._dropped = DropCounter()  # pieces that came while MAX_WAITING others waited

    async def prepare(self) -> None:
        """Make the source of the next track. It takes 0.2 s and needs no room."""
        await self.unbind()
        source = new_source(ROOM_RATE_HZ, QUEUE_MS)
        try:
            self._prepared = source, TrackQueue(await learn_ticks(source))
        except BaseException:
            await source.aclose()
            raise

    async def publish(self, room: rtc.Room, name: str) -> str:
        """Publish the track that was prepared, as a microphone. Returns its sid. Raises what `publish_track` raises."""
        if self._prepared is None:
            raise RuntimeError("`prepare` comes first")
        source, queue = self._prepared
        try:
            track = rtc.LocalAudioTrack.create_audio_track(name, source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            options.audio_encoding.max_bitrate = BITS_PER_S
            publication = await room.local_participant.publish_track(track, options)
        except BaseException:
            await self.unbind()
            raise
        self._prepared, self._source, self._queue = None, source, queue
        self._carrying = asyncio.create_task(self._carry(source, queue), name="livekit-sink")
        return publication.sid

    async def unbind(self) -> None:
        """Clear the queue, and close the track's source. Nothing of it is played by the next one."""
        self.clear()
        self._log_dropped(self._dropped.rest())
        source, self._source = self._source, None
        prepared, self._prepared = self._prepared, None
        carrying, self._carrying = self._carrying, None
        if self._filling is not None:
            self._filling.cancel()
        if carrying is not None:
            carrying.cancel()
            await asyncio.wait([carrying])
        self._waiting.clear()  # the fade of the clear above
        for each in (source, prepared and prepared[0]):
            if each is not None:
                await each.aclose()

    def push(self, pcm: bytes) -> None:
        """Queue 48 kHz int16 mono PCM of any length."""
        if self._source is None:
            return
        self._padded = 0
        for at in range(0, len(pcm), PIECE_BYTES):
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(pcm[at : at + PIECE_BYTES])
            else:
                self._log_dropped(self._dropped.add(1))
        self._more.set()

    def clear(self) -> None:
        """Drop all audio that was pushed and is not played yet; its first 10 ms are played with a fade-out."""
        if self._source is None or self._queue is None:
            return
        left, waiting = self._drop(self._source, self._queue, time.monotonic())
        fade = b"" if left is None else fade_out(left + waiting)
        if left is None or fade:
            self.push(fade + bytes(-len(fade) % TICK_BYTES) + QUIET)

    def take_back(self) -> int:
        """Drop all audio that was pushed and is not played yet, without a fade. Returns how many samples that were.

        Within half a millisecond of a tick it is not sure whether 10 ms were played: they are heard twice then, or not.
        """
        if self._source is None or self._queue is None:
            return 0
        now_s = time.monotonic()
        left = len(self._queue.left(now_s))
        _, waiting = self._drop(self._source, self._queue, now_s)
        return max(0, left + len(waiting) - self._padded) // BYTES_PER_SAMPLE

    def _drop(self, source: rtc.AudioSource, queue: TrackQueue, now_s: float) -> tuple[bytes | None, bytes]:
        """Drop what is not played yet: what was in the queue, as of `TrackQueue.clear`, and what waited for it."""
        source.clear_queue()
        self._clears += 1
        waiting = b"".join(self._waiting)
        self._waiting.clear()
        return queue.clear(now_s), waiting

    def _log_dropped(self, frames: int) -> None:
        if frames:
            bound = logger.bind(event="frames_dropped", frames=frames, buffer_frames=MAX_WAITING)
            bound.warning(f"{frames} frames of the bot's voice dropped: its track takes no more")

    async def _carry(self, source: rtc.AudioSource, queue: TrackQueue) -> None:
        failing = False
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                wait_s = queue.wait_s(time.monotonic())
                if wait_s:
                    await asyncio.sleep(wait_s)
                    continue
                pcm, clears = self._waiting.popleft(), self._clears
                queue.put(pcm, time.monotonic())
                frame = rtc.AudioFrame(pcm, ROOM_RATE_HZ, 1, len(pcm) // BYTES_PER_SAMPLE)
                try:
                    await source.capture_frame(frame)
                except Exception as error:
                    if not failing:  # logged once, and not fifty times a second
                        logger.bind(event="sink_failed").exception(f"the bot's track takes no audio: {error}")
                    failing = True
                else:
                    failing = False
                if clears != self._clears:
                    source.clear_queue()  # the queue was cleared while this piece was on its way
            self._fill_up_soon(queue)

    def _fill_up_soon(self, queue: TrackQueue) -> None:
        """Add silence shortly before the queue is empty.

        Otherwise a rest of less than 10 ms would stay in it, and be played at the beginning of the next reply.
        """
        if self._filling is not None:
            self._filling.cancel()
        rest = len(queue.left(time.monotonic()))

        def fill_up() -> None:
            left = len(queue.left(time.monotonic()))
            if left % TICK_BYTES and not self._waiting:
                silence = bytes(-left % TICK_BYTES) + QUIET
                self.push(silence)
                self._padded = len(silence)

        if rest % TICK_BYTES:
            due_s = (rest // TICK_BYTES - 1) * TICK_S
            self._filling = asyncio.get_running_loop().call_later(max(0.0, due_s), fill_up)


async def learn_ticks(source: rtc.AudioSource) -> Ticks:
    """Find the ticks of a new source by filling its queue with silence. It takes 0.15 s and leaves the queue empty."""
    silence = rtc.AudioFrame(bytes(TICK_BYTES), ROOM_RATE_HZ, 1, TICK_BYTES // BYTES_PER_SAMPLE)
    stamps = []
    for _ in range(QUEUE_MS // 10 + 2 * LEARNING_TICKS):
        await source.capture_frame(silence)
        stamps.append(time.monotonic())
    source.clear_queue()
    return Ticks(stamps[-LEARNING_TICKS:])
