"""What was pushed to a sink, and what of it was played: counted, not asked.

Audio pushed is played in real time from the moment that it finds the queue empty. (livekit's own `queued_duration` has
been wrong after a clear: livekit/node-sdks#541.)
"""

from __future__ import annotations

from collections import deque

from webapi.voice_node.events import BYTES_PER_SAMPLE, US_PER_S, ReplyAudio


def length_us(pcm: bytes | bytearray, rate: int) -> int:
    """How long it plays."""
    return len(pcm) // BYTES_PER_SAMPLE * US_PER_S // rate


class Playout:
    """One reply after the other. `pushed_us` is how much of the present one was pushed and not taken back."""

    def __init__(self) -> None:
        self.pushed_us = 0
        self._end_us = 0  # when the last of it will have been played
        self._ahead: deque[tuple[int, bytes]] = deque()  # what may not have been played: when it will be, and it
        self._rate = 0  # Hz

    def begin(self) -> None:
        """The next reply; the fade of the one before may still be played."""
        self.pushed_us = 0
        self._ahead.clear()

    def push(self, audio: ReplyAudio) -> None:
        """It plays from its stamp on, or behind what is queued."""
        self._rate = audio.rate
        us = length_us(audio.pcm, audio.rate)
        self._end_us = max(self._end_us, audio.t_us) + us
        self.pushed_us += us
        while self._ahead and self._ahead[0][0] <= audio.t_us:
            self._ahead.popleft()
        self._ahead.append((self._end_us, audio.pcm))

    def left_us(self, t_us: int) -> int:
        """How long it takes until all is played. No longer than the reply: a fade before it is none of it."""
        return min(self.pushed_us, max(0, self._end_us - t_us))

    def take_back(self, t_us: int, fade_us: int) -> bytes:
        """What is not played at `t_us` is not going to be, but for a fade; that audio."""
        samples = -(-self.left_us(t_us) * self._rate // US_PER_S)  # one that is being played counts as unheard
        ahead = b"".join(pcm for _, pcm in self._ahead)
        back = ahead[len(ahead) - samples * BYTES_PER_SAMPLE :]
        self.pushed_us -= length_us(back, self._rate) if back else 0
        self._end_us = t_us + fade_us
        self._ahead.clear()
        return back
