"""Pushes a reply to a sink at its volume, and again what is not played yet, where the volume changes."""

from __future__ import annotations

from collections import deque

from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ
from webapi.voice_node.playback.sink import Sink
from webapi.voice_node.playback.volume import Volume, samples_in

KEPT = 4 * ROOM_RATE_HZ  # samples: more than any sink has in its queue


class VolumeSink:
    """A sink whose volume can change at once, for audio in its queue too.

    `end` counts the samples of the present reply that were pushed. A volume changes at the sample that the sink plays
    next, as only the sink knows which one that is.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.begin()

    def begin(self) -> None:
        """A new reply: it begins at full volume."""
        self.end = 0
        self._volume = Volume()
        self._recent: deque[bytes] = deque()  # the end of what was pushed, at full volume
        self._recent_samples = 0

    def push(self, pcm: bytes) -> None:
        """Queue PCM (int16 mono at 48 kHz) at the present volume."""
        self._sink.push(self._volume.applied(pcm, self.end))
        self.end += samples_in(pcm)
        self._recent.append(pcm)
        self._recent_samples += samples_in(pcm)
        while self._recent_samples - samples_in(self._recent[0]) >= KEPT:
            self._recent_samples -= samples_in(self._recent.popleft())

    def turn(self, to: int, ms: int) -> None:
        """Go to a volume within `ms`, from the sample that is played next."""
        left = min(self._sink.take_back(), self._recent_samples)
        first = self.end - left
        self._volume.turn(first, to, ms)
        if left:
            tail = b"".join(self._recent)[-left * BYTES_PER_SAMPLE :]
            self._sink.push(self._volume.applied(tail, first))

    def clear(self) -> None:
        """Remove at once what was pushed and not yet played; it fades out."""
        self._sink.clear()
        self._recent.clear()
        self._recent_samples = 0
