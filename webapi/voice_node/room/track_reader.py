"""Reads a caller's track into a session, frame by frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Protocol

from livekit import rtc

from webapi.voice_node.events import ROOM_RATE_HZ, US_PER_MS
from webapi.voice_node.room.arrival_clock import ArrivalClock
from webapi.voice_node.room.drop_counter import DropCounter
from webapi.voice_node.room.jitter_buffer import BufferGrowth, LookAt
from webapi.voice_node.room.own_events import new_stream
from webapi.voice_node.room.session_port import Listener

if TYPE_CHECKING:
    from loguru import Logger

READS_MS = 20  # of audio at a time: as much as one analysis frame needs. Of 10 ms, each second one would only wait
MAX_WAITING_MS = 500  # of audio; a further frame pushes out the oldest
NUMBER = "voice_node.number"  # in a frame's userdata: how many frames came before it
TICK_S = 0.1
STALL_US = 50 * US_PER_MS  # by which a read is late
BURST_US = 1 * US_PER_MS  # between two reads, where the second frame had waited
LOOK_AGAIN_S = 0.005
LOOK_TICKS, GROWN_TICKS = 5, 2  # between two looks at the jitter buffer: in peace, and while it has grown
SILENT_TICKS = 5  # ticks without a frame that make a gap. Ticks, as a clock would count a stall of the node as one


class AudioFrames(Protocol):
    """A track's audio in frames of 10 or 20 ms (rtc.AudioStream is one)."""

    def __aiter__(self) -> AsyncIterator[rtc.AudioFrameEvent]:
        """The frames, without end."""

    async def aclose(self) -> None:
        """End the frames, and free what the native side holds."""


def reads_ms(window_ms: int) -> int:
    """How much audio to read at a time for analysis frames of `window_ms`: none is to wait for the next read."""
    return READS_MS if window_ms % READS_MS == 0 else 10


def frames_of(track: rtc.Track, frame_ms: int) -> AudioFrames:
    """The track's frames of `frame_ms`: 48 kHz int16 mono, numbered, with at most MAX_WAITING_MS of them in memory."""
    return new_stream(
        track,
        capacity=MAX_WAITING_MS // frame_ms,
        sample_rate=ROOM_RATE_HZ,
        num_channels=1,
        frame_size_ms=frame_ms,
        noise_cancellation=_Numbered(),
    )


class TrackReader:
    """Gives each frame of a track to `listener`, which may be replaced, from now until `stop`.

    LiveKit goes on giving frames of silence when a caller mutes, stops, leaves or is disconnected. So `set_muted` must
    be called, and a missing frame means only that the track itself is gone. `echo`: see Listener.hear. `clock`: the
    live clock in µs; frames are given with the time at which they arrived, also where they are read later.
    `look`: see look_at. `frame_ms`: the length of a frame.
    """

    def __init__(
        self,
        frames: AudioFrames,
        listener: Listener,
        *,
        frame_ms: int,
        muted: bool,
        echo: bool,
        clock: Callable[[], int],
        look: LookAt,
        log: Logger,
    ) -> None:
        self.listener = listener
        self._clock = clock
        self._frame_us = frame_ms * US_PER_MS
        self._arrivals = ArrivalClock(self._frame_us)
        self._look = look
        self._growth = BufferGrowth(self._frame_us)
        self._read_us = 0  # when the last frame was read
        self._echo = echo
        self._source = frames
        self._muted = muted
        self._log = log
        self._frames = 0
        self._dropped = DropCounter()
        self._heard_since_gap = False
        self._tasks = [
            asyncio.create_task(self._read(), name="livekit-hear"),
            asyncio.create_task(self._watch(), name="livekit-watch"),
        ]

    def set_muted(self, muted: bool) -> None:
        """The caller muted or unmuted. Frames of a muted track are the decoder's own and are dropped."""
        if muted and not self._muted:
            self._gap("muted")
        self._muted = muted

    def stop(self) -> None:
        """Give no more frames to the listener. The listener is not told."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop, and close the frames: otherwise the native side goes on making silence for ever."""
        self.stop()
        await asyncio.wait(self._tasks)
        await self._source.aclose()
        self._log_dropped(self._dropped.rest())

    def _gap(self, reason: str) -> None:
        if self._heard_since_gap:
            self._heard_since_gap = False
            self.listener.lost(reason, self._clock())

    async def _read(self) -> None:
        expected = 0
        async for event in self._source:
            number = event.frame.userdata.get(NUMBER, expected)
            self._log_dropped(self._dropped.add(number - expected))
            expected = number + 1
            self._frames += 1
            read_us = self._clock()
            if self._read_us and read_us - self._read_us >= self._frame_us + STALL_US:
                await self._look_after_stall(read_us - self._read_us)
                read_us = self._clock()
            if read_us - self._read_us < BURST_US:
                await asyncio.sleep(0)  # the other calls of the loop come between the frames of a backlog
            self._read_us = read_us
            arrived_us = self._arrivals.arrived(number, read_us, self._growth.waited_us)
            if not self._muted:
                self._heard_since_gap = True
                try:
                    self.listener.hear(bytes(event.frame.data), ROOM_RATE_HZ, self._echo, arrived_us)
                except KeyboardInterrupt:
                    raise
                except BaseException:  # a session catches its own errors; one that does not must not end this task
                    self._log.bind(event="hear_failed").exception("a frame of the caller's audio was lost")

    async def _look_after_stall(self, stall_us: int) -> None:
        """Look at the jitter buffer, and once more: the native side may still be taking packets from the socket."""
        look = await self._look()
        if look and not self._growth.stalled(look, stall_us):
            await asyncio.sleep(LOOK_AGAIN_S)
            self._growth.stalled(await self._look(), stall_us)

    def _log_dropped(self, frames: int) -> None:
        if frames:
            bound = self._log.bind(event="frames_dropped", frames=frames, buffer_ms=MAX_WAITING_MS)
            bound.warning(f"{frames} frames of the caller's audio dropped: the event loop took them too late")

    async def _watch(self) -> None:
        """Report a gap where no frame comes for SILENT_TICKS ticks."""
        before, silent, ticks = -1, 0, 0
        while True:
            await asyncio.sleep(TICK_S)
            silent = silent + 1 if self._frames == before else 0
            before = self._frames
            ticks += 1
            if ticks % (GROWN_TICKS if self._growth.waited_us else LOOK_TICKS) == 0:
                look = await self._look()
                if self._clock() - self._read_us < self._frame_us + STALL_US:  # else it is `_read` that has to know
                    self._growth.looked(look)
            if silent == SILENT_TICKS:
                self._arrivals = ArrivalClock(self._frame_us)  # it is the stream that paused, as this loop has run
                self._gap(f"no audio for {round(SILENT_TICKS * TICK_S * 1000)} ms")


class _Numbered(rtc.FrameProcessor[rtc.AudioFrame]):
    """Numbers the frames as they arrive, as a full stream drops frames without saying so."""

    def __init__(self) -> None:
        self._next = 0

    @property
    def enabled(self) -> bool:
        return True

    @enabled.setter
    def enabled(self, value: bool) -> None:
        """Do nothing: it can't be switched off."""

    def _process(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        frame.userdata[NUMBER] = self._next
        self._next += 1
        return frame

    def _close(self) -> None:
        """Do nothing."""
