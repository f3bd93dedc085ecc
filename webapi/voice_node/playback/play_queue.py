"""What a speaker plays and when: pieces of audio at sample positions, one behind the other, taken as time goes on."""

from __future__ import annotations

from collections import deque

from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.playback.fades import fade_out


class PlayQueue:
    """Positions are samples of one clock. What is pushed plays from `now` on, or behind what is queued."""

    def __init__(self, at: int = 0) -> None:
        self._queue: deque[tuple[int, bytes]] = deque()  # (position at which it begins, audio)
        self._end = self.at = at  # behind the last sample; up to what was taken

    def push(self, now: int, pcm: bytes) -> None:
        """Queue it."""
        start = max(self._end, now)
        self._queue.append((start, pcm))
        self._end = start + len(pcm) // BYTES_PER_SAMPLE

    def cut(self, now: int) -> None:
        """Forget what is not played by `now`; it fades out."""
        next_up = b"".join(pcm[max(0, now - at) * BYTES_PER_SAMPLE :] for at, pcm in self._queue)
        self._queue = deque((at, pcm[: (now - at) * BYTES_PER_SAMPLE]) for at, pcm in self._queue if at < now)
        self._end = now
        if next_up:
            self.push(now, fade_out(next_up))

    def take(self, until: int) -> bytes:
        """What plays from `at`, where the last one ended, to `until`: silence where nothing does."""
        out = bytearray(max(0, until - self.at) * BYTES_PER_SAMPLE)
        while self._queue and self._queue[0][0] < until:
            start, pcm = self._queue.popleft()
            start = max(start, self.at)  # what comes too late for its time is late, not lost
            offset, fits = (start - self.at) * BYTES_PER_SAMPLE, (until - start) * BYTES_PER_SAMPLE
            out[offset : offset + len(pcm[:fits])] = pcm[:fits]
            if len(pcm) > fits:
                self._queue.appendleft((until, pcm[fits:]))
        self.at = max(self.at, until)
        return bytes(out)

    def skip(self, until: int) -> None:
        """Let what plays before `until` go untaken."""
        while self._queue and self._queue[0][0] < until:
            start, pcm = self._queue.popleft()
            rest = pcm[(until - start) * BYTES_PER_SAMPLE :]
            if rest:
                self._queue.appendleft((until, rest))
        self.at = max(self.at, until)
