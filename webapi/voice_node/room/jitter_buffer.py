"""How much longer a caller's audio waits in LiveKit's jitter buffer because the process stood still."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from livekit import rtc

from webapi.voice_node.events import ROOM_RATE_HZ, US_PER_MS, US_PER_S

PACKET_US = 20 * US_PER_MS  # of audio in a packet, as LiveKit's clients send it
LIMIT_S = 0.03  # for one look, which takes about 1 ms
KEPT = 200  # looks in peace: while the caller talks, a packet or two more wait than in silence
FORGOTTEN = 300  # looks: a buffer shrinks in about a minute, and then what waits is what waits in peace

GetLevel = Callable[[], Awaitable[int | None]]


async def buffer_level_us(track: rtc.Track) -> int | None:
    """How much of the track's audio has come and is not played out, in µs, but for a constant. Right to a packet.

    None where LiveKit does not say it, or not within LIMIT_S. Raises nothing.
    """
    try:
        for stats in await asyncio.wait_for(track.get_stats(), LIMIT_S):
            if stats.WhichOneof("stats") == "inbound_rtp":
                played_us = stats.inbound_rtp.inbound.jitter_buffer_emitted_count * US_PER_S // ROOM_RATE_HZ
                return int(stats.inbound_rtp.received.packets_received * PACKET_US - played_us)
    except Exception:  # the SDK asserts where a track is gone, and raises Exception itself
        return None
    return None


class BufferGrowth:
    """What the level of a jitter buffer says of stalls: `waited_us`, how much longer than in peace audio waits now.

    A process that stands still takes nothing from its sockets. Once it runs again, the native side plays out silence
    for the time that has passed, and only then finds what has come. All of that comes out later than it would have, and
    so does what follows, until the buffer has shrunk. Where the loop alone stood still, the level stays as it was.
    """

    def __init__(self) -> None:
        self.waited_us = 0
        self._levels: deque[int] = deque(maxlen=KEPT)  # in peace, µs
        self._looks_left = 0  # until it is forgotten

    def looked(self, level_us: int | None) -> None:
        """Take a look's level, without a stall just before; None: not known."""
        if level_us is None:
            return
        if self.waited_us:
            self._looks_left -= 1
            self.waited_us = min(self.waited_us, self._grown_us(level_us)) if self._looks_left else 0
        else:
            self._levels.append(level_us)

    def stalled(self, level_us: int | None, stall_us: int) -> None:
        """Take the level just after a stall of `stall_us`, of the loop or of the process; None: not known."""
        if level_us is not None and self._levels:
            grown_us = min(self._grown_us(level_us), self.waited_us + stall_us)
            self.waited_us = max(self.waited_us, grown_us)
            self._looks_left = FORGOTTEN

    def _grown_us(self, level_us: int) -> int:
        """How much more waits than in peace; 0 for so little that it may be chance."""
        in_peace_us = sorted(self._levels)[len(self._levels) * 9 // 10]  # the largest may be the network's doing
        grown_us = level_us - in_peace_us - PACKET_US // 2
        return grown_us if grown_us > PACKET_US else 0
