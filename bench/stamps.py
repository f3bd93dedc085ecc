"""Stamps at livekit's doors, taken from outside by wrapping them: the product knows nothing of it.

All are `time.monotonic()` in seconds: one clock for all processes of a machine.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np
from livekit import rtc
from livekit.rtc._ffi_client import FfiClient

SILENT_RMS = 1.0  # int16; what is pushed as silence is zeros


class Doors:
    """Notes, in this process and for good, what goes through `AudioSource` and when audio comes out of the native side.

    `pushed` has (when capture_frame was called, RMS); `cleared` when clear_queue was done.
    """

    def __init__(self) -> None:
        self.pushed: list[tuple[float, float]] = []
        self.cleared: list[float] = []
        self._waiting: dict[int, deque[float]] = {}  # by stream: frames that Python has not taken yet
        self._install()

    def arrival(self, now_s: float) -> float:
        """When the native library handed over the frame that is being taken from the one stream that runs now.

        Frames are taken in the order in which they come, so it is the oldest that waits; with more than one stream,
        the last to begin. Call it once a frame.
        """
        stamps = self._waiting[max(self._waiting)] if self._waiting else deque[float]()
        return stamps.popleft() if stamps else now_s

    def _install(self) -> None:
        source: Any = rtc.AudioSource  # Any: its methods are replaced
        queue: Any = FfiClient.instance.queue
        capture, clear, put = source.capture_frame, source.clear_queue, queue.put

        async def capture_frame(this: rtc.AudioSource, frame: rtc.AudioFrame) -> None:
            self.pushed.append((time.monotonic(), rms(bytes(frame.data))))
            await capture(this, frame)

        def clear_queue(this: rtc.AudioSource) -> None:
            clear(this)
            self.cleared.append(time.monotonic())

        def put_event(event: Any) -> None:  # in the native library's own thread
            stream = event.audio_stream_event
            if event.WhichOneof("message") == "audio_stream_event" and stream.HasField("frame_received"):
                self._waiting.setdefault(stream.stream_handle, deque()).append(time.monotonic())
            put(event)

        source.capture_frame, source.clear_queue, queue.put = capture_frame, clear_queue, put_event


def rms(pcm: bytes) -> float:
    """Of int16 PCM."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.sqrt(np.mean(samples * samples))) if len(samples) else 0.0
