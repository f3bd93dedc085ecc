"""Audio that waits to be played: pieces at sample positions, one behind the other."""

from __future__ import annotations

from collections import deque

from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.playback.fades import fade_out


class SampleQueue:
    """Pieces of PCM (int16 mono) and the position of each. All positions are samples on one clock, chosen by the owner.

    `at` is the position up to which audio was taken or skipped, `end` the one behind the last sample.
    """

    def __init__(self, at: int = 0) -> None:
        self._queue: deque[tuple[int, bytes]] = deque()  # (position at which it begins, audio)
        self.end = self.at = at

    def push(self, now: int, pcm: bytes) -> None:
        """Add a piece. It plays from `now` on, or behind what is queued."""
        start = max(self.end, now)
        self._queue.append((start, pcm))
        self.end = start + len(pcm) // BYTES_PER_SAMPLE

    def cut(self, now: int) -> None:
        """Remove what is not played by `now`, except for its first 10 ms, which fade out."""
        next_up = b"".join(pcm[max(0, now - at) * BYTES_PER_SAMPLE :] for at, pcm in self._queue)
        self._queue = deque((at, pcm[: (now - at) * BYTES_PER_SAMPLE]) for at, pcm in self._queue if at < now)
        self.end = now
        if next_up:
            self.push(now, fade_out(next_up))

    def drop(self, now: int) -> int:
        """Remove what is not played by `now`, without a fade. Returns how many samples that were."""
        behind = sum(max(0, at + len(pcm) // BYTES_PER_SAMPLE - max(now, at)) for at, pcm in self._queue)
        self._queue = deque((at, pcm[: (now - at) * BYTES_PER_SAMPLE]) for at, pcm in self._queue if at < now)
        self.end = min(self.end, now)
        return behind

    def take(self, until: int) -> bytes:
        """What plays from `at` to `until`, with silence where nothing does. `at` becomes `until`."""
        out = bytearray(max(0, until - self.at) * BYTES_PER_SAMPLE)
        while self._queue and self._queue[0][0] < until:
            start, pcm = self._queue.popleft()
            start = max(start, self.at)  # a piece whose time was taken already is played late, not lost
            offset, fits = (start - self.at) * BYTES_PER_SAMPLE, (until - start) * BYTES_PER_SAMPLE
            out[offset : offset + len(pcm[:fits])] = pcm[:fits]
            if len(pcm) > fits:
                self._queue.appendleft((until, pcm[fits:]))
        self.at = max(self.at, until)
        return bytes(out)

    def skip(self, until: int) -> None:
        """Remove what plays before `until`. `at` becomes `until`."""
        while self._queue and self._queue[0][0] < until:
            start, pcm = self._queue.popleft()
            rest = pcm[(until - start) * BYTES_PER_SAMPLE :]
            if rest:
                self._queue.appendleft((until, rest))
        self.at = max(self.at, until)
