"""The reply that a speaker lets through, from its start until nothing of it will be heard any more."""

from __future__ import annotations

from dataclasses import dataclass

from webapi.voice_node.events import ROOM_RATE_HZ, ReplyOutcome, Turn


@dataclass(slots=True)
class PlayingReply:
    """What a speaker knows of it. It changes as the reply plays."""

    turn: Turn
    interruptible: bool = True
    started: bool = False  # the first of its own audio was pushed
    filler_started: bool = False  # the first of a filler before it was pushed
    filler_us: int = 0  # how much of the filler was pushed and not taken back
    filler_flushed_us: int = 0  # how much of it was taken back
    rate: int = ROOM_RATE_HZ  # Hz, of its audio
    outcome: ReplyOutcome | None = None  # of the orchestrator's stream, once it is over
    held: bytearray | None = None  # while it is halted: its own audio that is not played yet
    ducked: bool = False  # it plays softly
    begins: int = 0  # samples of a filler that were pushed before it
    overdue: bool = False  # the recording of the call says that it was played out by now

    @property
    def sounds(self) -> bool:
        """Whether audio was pushed: its own, or a filler's."""
        return self.started or self.filler_started
