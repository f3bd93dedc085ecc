"""Where a reply's audio leaves the graph."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Where a reply's audio leaves: a LiveKit track, a file."""

    def push(self, pcm: bytes) -> None:
        """Queue 48 kHz PCM of any length. Must not block."""

    def clear(self) -> None:
        """Everything pushed and not yet played goes, at once; what would have come next fades out: see `fade_out`.

        The fade is the sink's, as only it knows to the sample what comes next. One that begins elsewhere clicks.
        """
