"""The interface of what plays the bot's audio."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Where reply audio leaves the graph: a LiveKit track, or the mix of a replay."""

    def push(self, pcm: bytes) -> None:
        """Queue PCM (int16 mono at 48 kHz) of any length. Must not block."""

    def clear(self) -> None:
        """Remove at once what was pushed and not yet played. What would have played next fades out: see `fade_out`.

        The sink makes the fade, as only it knows to the sample what comes next: a fade that begins elsewhere clicks.
        """

    def take_back(self) -> int:
        """Remove at once what was pushed and not yet played, without a fade. Returns how many samples that were.

        The caller pushes as many at once, at another volume: nothing is heard of the seam.
        """
        ...
