"""Counts what was pushed to a sink and what of it was played.

Audio is played in real time, from the moment at which it finds the queue empty. So it can be counted; the sink is not
asked. (LiveKit's own `queued_duration` has been wrong after a clear: livekit/node-sdks#541.)
"""

from __future__ import annotations

from webapi.voice_node.events import US_PER_S, ReplyAudio, length_us
from webapi.voice_node.playback.sample_queue import SampleQueue


class Playout:
    """The playout of one reply after the other. `pushed_us`: how much of the present one was pushed and not taken back.

    Time is counted in µs, not in samples: a reply begins at any microsecond of the clock, and what is told of it
    (`heard_ms`, the time of its end) would be up to one sample off if its start were rounded to one. The audio that
    is not played yet waits in a SampleQueue, whose positions are the samples pushed so far.
    """

    def __init__(self) -> None:
        self.pushed_us = 0
        self._end_us = 0  # when the last of it will have been played
        self._queue = SampleQueue()
        self._rate = 0  # Hz

    def begin(self) -> None:
        """Begin the next reply. The fade of the one before may still be playing."""
        self.pushed_us = 0
        self._queue.skip(self._queue.end)

    def push(self, audio: ReplyAudio) -> None:
        """Count a piece. It plays from its stamp on, or behind what is queued."""
        self._rate = audio.rate
        self._queue.skip(self._next_sample(audio.t_us))
        self._queue.push(self._queue.end, audio.pcm)
        us = length_us(audio.pcm, audio.rate)
        self._end_us = max(self._end_us, audio.t_us) + us
        self.pushed_us += us

    def left_us(self, t_us: int) -> int:
        """How long after `t_us` the last of the reply is played, in µs. A fade before the reply does not count."""
        return min(self.pushed_us, max(0, self._end_us - t_us))

    def unplayed(self, t_us: int) -> int:
        """How many samples of the reply are not played at `t_us`. One that is being played counts as not played."""
        return self._queue.end - self._next_sample(t_us)

    def take_back(self, t_us: int, fade_us: int) -> bytes:
        """Take back what is not played at `t_us`, and return it. The sink still plays a fade of `fade_us`."""
        self._queue.skip(self._next_sample(t_us))
        back = self._queue.take(self._queue.end)
        self.pushed_us -= length_us(back, self._rate) if back else 0
        self._end_us = t_us + fade_us
        return back

    def _next_sample(self, t_us: int) -> int:
        """The position of the first sample not played at `t_us`. One that is being played counts as not played."""
        return self._queue.end - -(-self.left_us(t_us) * self._rate // US_PER_S)
