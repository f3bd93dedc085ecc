"""Reads a caller's track into a session, frame by frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

from livekit import rtc

from webapi.voice_node.events import ROOM_RATE_HZ
from webapi.voice_node.room.drop_counter import DropCounter
from webapi.voice_node.room.session_port import Listener

if TYPE_CHECKING:
    from loguru import Logger

FRAME_MS = 10
CAPACITY = 50  # frames (500 ms) that may wait; what comes on top pushes out the oldest
NUMBER = "voice_node.number"  # in a frame's userdata: how many came before it
TICK_S = 0.1
SILENT_TICKS = 5  # ticks without a frame that are a gap. Ticks, not a clock: one that stalls with us counts once


class AudioFrames(Protocol):
    """A track's audio, 10 ms at a time (rtc.AudioStream is one)."""

    def __aiter__(self) -> AsyncIterator[rtc.AudioFrameEvent]:
        """The frames."""

    async def aclose(self) -> None:
        """End them."""


def frames_of(track: rtc.Track) -> AudioFrames:
    """What `TrackReader` reads of a track: 48 kHz mono, CAPACITY frames waiting at most, numbered."""
    return rtc.AudioStream(
        track,
        capacity=CAPACITY,
        sample_rate=ROOM_RATE_HZ,
        num_channels=1,
        frame_size_ms=FRAME_MS,
        noise_cancellation=_Numbered(),
    )


class TrackReader:
    """One track, frame by frame into a listener, from now until `stop`.

    LiveKit goes on giving frames, of silence, when a caller mutes, stops, leaves or is cut off; so muting is told to
    this object, and the time between two frames says something only where the track itself is gone.
    """

    def __init__(self, frames: AudioFrames, listener: Listener, *, muted: bool, echo: bool, log: Logger) -> None:
        self.listener = listener
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

    def mute(self, muted: bool) -> None:
        """The caller muted or unmuted. What still comes of a muted track is the decoder's, not theirs."""
        if muted and not self._muted:
            self._gap("muted")
        self._muted = muted

    def stop(self) -> None:
        """No frame reaches the listener from here on. Tells it nothing."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop, and give back what the native side holds: without this the track's silence goes on for ever."""
        self.stop()
        await asyncio.wait(self._tasks)
        await self._source.aclose()
        self._tell_dropped(self._dropped.rest())

    def _gap(self, reason: str) -> None:
        if self._heard_since_gap:
            self._heard_since_gap = False
            self.listener.lost(reason)

    async def _read(self) -> None:
        expected = 0
        async for event in self._source:
            number = event.frame.userdata.get(NUMBER, expected)
            self._tell_dropped(self._dropped.add(number - expected))
            expected = number + 1
            self._frames += 1
            if not self._muted:
                self._heard_since_gap = True
                try:
                    self.listener.hear(bytes(event.frame.data), ROOM_RATE_HZ, self._echo)
                except Exception:  # a session guards itself; the stream must outlive one that doesn't
                    self._log.bind(event="hear_failed").exception("a frame of the caller's audio was lost")

    def _tell_dropped(self, frames: int) -> None:
        if frames:
            bound = self._log.bind(event="frames_dropped", frames=frames, buffer_frames=CAPACITY)
            bound.warning(f"{frames} frames of the caller's audio dropped: the node is too slow")

    async def _watch(self) -> None:
        before, silent = -1, 0
        while True:
            await asyncio.sleep(TICK_S)
            silent = silent + 1 if self._frames == before else 0
            before = self._frames
            if silent == SILENT_TICKS:
                self._gap(f"no audio for {round(SILENT_TICKS * TICK_S * 1000)} ms")


class _Numbered(rtc.FrameProcessor[rtc.AudioFrame]):
    """Numbers frames as they arrive: the stream drops them silently when full, and only this shows how many."""

    def __init__(self) -> None:
        self._next = 0

    @property
    def enabled(self) -> bool:
        return True

    @enabled.setter
    def enabled(self, value: bool) -> None:
        """It can't be switched off."""

    def _process(self, frame: rtc.AudioFrame) -> rtc.AudioFrame:
        frame.userdata[NUMBER] = self._next
        self._next += 1
        return frame

    def _close(self) -> None:
        """Nothing to close."""
