"""The two sinks of a replay: one that plays in the loop's time, and one that plays nothing."""

from __future__ import annotations

from collections.abc import Iterator

from webapi.voice_node.clock.replay_loops import ReplayLoop
from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ, US_PER_S
from webapi.voice_node.playback.sample_queue import SampleQueue

CHUNK_BYTES = ROOM_RATE_HZ // 100 * BYTES_PER_SAMPLE  # 10 ms, as LiveKit delivers audio


class ReplaySink:
    """Plays int16 PCM at 48 kHz in the time of a replay's loop, and returns what was heard."""

    def __init__(self, loop: ReplayLoop) -> None:
        self._loop = loop
        self._queue = SampleQueue(self._now())

    def push(self, pcm: bytes) -> None:
        """Queue audio behind what is queued."""
        self._queue.push(self._now(), pcm)

    def clear(self) -> None:
        """Drop what is not yet played; the audio fades out."""
        self._queue.cut(self._now())

    def take_back(self) -> int:
        """Drop what is not yet played; return how many samples that were."""
        return self._queue.drop(self._now())

    def played(self, size: int = CHUNK_BYTES) -> bytes:
        """Return the next 10 ms that were heard, or the next `size` bytes; silence where nothing played."""
        return self._queue.take(self._queue.at + size // BYTES_PER_SAMPLE)

    def played_until(self, t_us: int) -> Iterator[bytes]:
        """Yield what was heard up to `t_us`, in pieces of at most a second; nothing of it is given twice."""
        until = t_us * ROOM_RATE_HZ // US_PER_S
        while self._queue.at < until:
            yield self._queue.take(min(until, self._queue.at + ROOM_RATE_HZ))

    def _now(self) -> int:
        """The loop's time in samples."""
        return self._loop.now_us * ROOM_RATE_HZ // US_PER_S


class NullSink:
    """Plays nothing: for a replay without a mix."""

    def push(self, pcm: bytes) -> None:
        """Do nothing."""

    def clear(self) -> None:
        """Do nothing."""

    def take_back(self) -> int:
        """Nothing is to be played."""
        return 0
