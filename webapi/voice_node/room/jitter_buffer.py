"""How much longer a caller's audio waits in LiveKit's jitter buffer because the process stood still."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from livekit import rtc

from webapi.voice_node.events import ROOM_RATE_HZ, US_PER_MS, US_PER_S

PACKET_US = 20 * US_PER_MS  # of audio in a packet, as LiveKit's clients send it
BURST_US = 4 * US_PER_MS  # of jitter more: packets came at once
SLACK_US = 2 * PACKET_US  # by which the level may be wrong
UNSURE_US = 70 * US_PER_MS  # more than in peace, at most: it may be chance
LIMIT_S = 0.03  # for one look, which takes about 1 ms
KEPT = 200  # looks in peace: while the caller talks, a packet or two more wait than in silence
FORGOTTEN = 300  # looks: a buffer shrinks in about a minute, and then what waits is what waits in peace


@dataclass(frozen=True)
class BufferLook:
    """What LiveKit says of a track's jitter buffer."""

    level_us: int  # of the audio that has come and is not played out, but for a constant; right to a packet
    jitter_us: int = 0  # of packets, as in RTP (RFC 3550): up by 8 to 20 ms where many came at once, after a stall
    emitted: int = 0  # samples that came out
    waited_s: float = 0.0  # the sum of how long each of them was in it


LookAt = Callable[[], Awaitable[BufferLook | None]]


async def look_at(track: rtc.Track) -> BufferLook | None:
    """Look at the jitter buffer of a track. None where LiveKit does not say it, or not in LIMIT_S. Raises nothing."""
    try:
        for stats in await asyncio.wait_for(track.get_stats(), LIMIT_S):
            if stats.WhichOneof("stats") == "inbound_rtp":
                received, inbound = stats.inbound_rtp.received, stats.inbound_rtp.inbound
                emitted = inbound.jitter_buffer_emitted_count
                level_us = received.packets_received * PACKET_US - emitted * US_PER_S // ROOM_RATE_HZ
                return BufferLook(level_us, round(received.jitter * US_PER_S), emitted, inbound.jitter_buffer_delay)
    except Exception:  # the SDK asserts where a track is gone, and raises Exception itself
        return None
    return None


class BufferGrowth:
    """What looks at a jitter buffer say of stalls: `waited_us`, how much longer than in peace audio waits now.

    A process that stands still takes nothing from its sockets. Once it runs again, the native side plays out what the
    buffer still had, then silence for the rest of the time that has passed, and only then finds what has come. All of
    that comes out later than it would have, and so does what follows, until the buffer has shrunk: by the length of the
    stall, less what the buffer holds in peace. Where the loop alone stood still, packets came one by one, and the level
    stays as it was.

    That packets came at once shows in their jitter. The level alone shows only a stall of 150 ms or more: in peace it
    goes up and down by two packets.

    `frame_us`: the time between two frames in peace, which is a part of every stall that shows between two.
    """

    def __init__(self, frame_us: int) -> None:
        self.waited_us = 0
        self._frame_us = frame_us
        self._levels: deque[int] = deque(maxlen=KEPT)  # in peace, µs
        self._last: BufferLook | None = None
        self._in_peace_us = 0  # how long audio was in it
        self._looks_left = 0  # until it is forgotten

    def looked(self, look: BufferLook | None) -> None:
        """Take a look without a stall just before; None: not known."""
        if look is None:
            return
        if self.waited_us:
            self._looks_left -= 1
            at_most_us = self._at_most_us(look)
            self.waited_us = min(self.waited_us, at_most_us) if self._looks_left and at_most_us > SLACK_US else 0
        else:
            self._levels.append(look.level_us)
            before = self._last or BufferLook(0)
            if look.emitted > before.emitted:
                waited_s = (look.waited_s - before.waited_s) / (look.emitted - before.emitted)
                self._in_peace_us = round(waited_s * US_PER_S)
        self._last = look

    def stalled(self, look: BufferLook | None, stall_us: int) -> bool:
        """Take a look just after a stall of `stall_us`. Returns whether it shows that the process stood still."""
        if look is None or self._last is None or not self._levels:
            return False
        burst = look.jitter_us - self._last.jitter_us >= BURST_US
        at_most_us = self._at_most_us(look)
        if not burst and at_most_us <= UNSURE_US:
            return False
        grown_us = max(0, min(at_most_us, stall_us - self._frame_us - self._in_peace_us)) + self.waited_us
        self.waited_us = max(self.waited_us, min(at_most_us, grown_us))
        self._looks_left = FORGOTTEN
        return True

    def _at_most_us(self, look: BufferLook) -> int:
        """How much more waits than in peace, at most."""
        in_peace_us = sorted(self._levels)[len(self._levels) * 9 // 10]  # the largest may be the network's doing
        return max(0, look.level_us - in_peace_us + SLACK_US)
