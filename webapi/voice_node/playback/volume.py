"""The volume of what the bot plays: full, or 15 dB less, and the ramps between. All in whole numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ

BITS = 15
FULL = 1 << BITS
DUCKED = 5827  # FULL less 15 dB: FULL * 10 ** (-15 / 20)
DOWN_MS = 10  # so short, and no click: as the fade of a reply that is cut
UP_MS = 60


class Ramp(NamedTuple):
    """A straight line from one volume to another, which then stays. Positions are samples at 48 kHz."""

    start: int
    length: int
    begins: int = FULL
    ends: int = FULL

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The volumes at the positions, none of which is before the start."""
        if not self.length:
            return np.full(len(positions), self.ends, np.int64)
        passed = np.minimum(positions - self.start, self.length)
        volumes: NDArray[np.int64] = self.begins + (self.ends - self.begins) * passed // self.length
        return volumes


class Volume:
    """The volume at each sample position, of audio that is asked for in order. It begins full.

    volume   32768 ──────╲              ╱──────
              5827        ╲────────────╱
                    turn(DUCKED)   turn(FULL)
    """

    def __init__(self) -> None:
        self._ramps = [Ramp(0, 0)]  # the last one that has begun counts; those behind it are to come

    @property
    def target(self) -> int:
        """Where the last ramp ends."""
        return self._ramps[-1].ends

    def turn(self, position: int, to: int, ms: int) -> None:
        """From `position` on, go to the volume `to` within `ms`."""
        begins = int(self._volumes(position, 1)[0])
        self._ramps.append(Ramp(position, ms * ROOM_RATE_HZ // 1000, begins, to))

    def applied(self, pcm: bytes, position: int) -> bytes:
        """`pcm` (int16 mono), whose first sample is at `position`, as loud as it is to be. Rounded to nearest."""
        ramps = self._ramps
        while len(ramps) > 1 and ramps[1].start <= position:
            del ramps[0]
        first = ramps[0]
        if len(ramps) == 1 and first.ends == FULL and position >= first.start + first.length:
            return pcm
        samples = np.frombuffer(pcm, "<i2").astype(np.int64)
        volumes = self._volumes(position, len(samples))
        return ((samples * volumes + (FULL >> 1)) >> BITS).astype("<i2").tobytes()

    def _volumes(self, position: int, count: int) -> NDArray[np.int64]:
        positions = np.arange(position, position + count, dtype=np.int64)
        volumes = np.full(count, self._ramps[0].begins, np.int64)
        for ramp in self._ramps:
            behind = max(0, ramp.start - position)
            volumes[behind:] = ramp.at(positions[behind:])
        return volumes


def samples_in(pcm: bytes | bytearray) -> int:
    """How many samples `pcm` has."""
    return len(pcm) // BYTES_PER_SAMPLE
