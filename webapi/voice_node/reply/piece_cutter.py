"""Cuts a reply's chunks, of any size, into pieces of 20 ms and multiples of it."""

from __future__ import annotations

from webapi.voice_node.events import BYTES_PER_SAMPLE, US_PER_MS, US_PER_S

PIECE_US = 20 * US_PER_MS


class PieceCutter:
    """PCM in (int16 mono at `rate` Hz, cut anywhere), pieces of whole samples out."""

    def __init__(self, rate: int) -> None:
        self._size = rate * PIECE_US // US_PER_S * BYTES_PER_SAMPLE
        self._held = b""
        self._at = 0  # up to where it was taken

    def push(self, chunk: bytes) -> None:
        """Add a chunk. An odd byte at its end waits for the next one."""
        self._held = self._held[self._at :] + chunk
        self._at = 0

    @property
    def has_sample(self) -> bool:
        """Whether at least one whole sample is there."""
        return len(self._held) - self._at >= BYTES_PER_SAMPLE

    def head(self, size: int) -> bytes:
        """The first `size` bytes of what is there. (All of it may be an hour.)"""
        return self._held[self._at : self._at + size]

    @property
    def pieces(self) -> int:
        """How many pieces of 20 ms are there."""
        return (len(self._held) - self._at) // self._size

    def take(self, count: int) -> tuple[bytes, int]:
        """The next `count` pieces as one, or as many as are there, but at least one; and its length in µs."""
        count = max(1, min(count, self.pieces))
        end = self._at + count * self._size
        piece, self._at = self._held[self._at : end], end
        if len(self._held) - end < self._size:  # a large chunk is not kept in memory while the next one is waited for
            self._held, self._at = self._held[self._at :], 0
        return piece, count * PIECE_US

    def rest(self) -> tuple[bytes, bool]:
        """What is left at the end, in whole samples; and whether half a sample was dropped."""
        rest = self._held[self._at :]
        whole = len(rest) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        return rest[:whole], len(rest) > whole
