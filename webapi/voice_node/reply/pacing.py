"""Paces the audio of a reply or a filler: sends it early enough for stalls, and late enough for a flood to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from webapi.voice_node.events import US_PER_MS, US_PER_S
from webapi.voice_node.reply.pause_gate import PauseGate


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How far audio may be ahead of its playing: up to `high_ms`; more is sent when it has fallen to `low_ms`.

    A stall of `low_ms` is not heard. The orchestrator is asked for more only then, so a flood of audio waits there.
    """

    high_ms: int = 400
    low_ms: int = 200


class Pacing:
    """Counts how far the audio that was sent is ahead of its playing. It plays from when it finds the queue empty.

    Use: `ready`, send some audio, `sent`; and again. `clock` gives µs. While `gate` is closed, nothing plays.
    """

    def __init__(self, depth: QueueDepth, clock: Callable[[], int], gate: PauseGate | None = None) -> None:
        self._high_us, self._low_us = depth.high_ms * US_PER_MS, depth.low_ms * US_PER_MS
        self._clock = clock
        self._gate = gate or PauseGate()
        self._start_us = clock()  # when the first sample would have been played, had the queue never been empty
        self._ahead_us = 0  # at the last look at the clock, and what was sent since
        self.sent_us = 0

    async def ready(self) -> int:
        """Wait while the reply is halted. Returns how much audio fits into the queue now, in µs; negative if too much
        is in it."""
        await self._gate.ready()
        return self._high_us - self._look()

    async def sent(self, us: int) -> None:
        """Count `us` of audio. Where that filled the queue, wait until it has fallen to the low level."""
        self.sent_us += us
        self._ahead_us += us
        if self._ahead_us >= self._high_us:
            await asyncio.sleep((self._ahead_us - self._low_us) / US_PER_S)

    async def played(self) -> None:
        """Wait until all that was sent has been played."""
        await asyncio.sleep(self._look() / US_PER_S)

    def _look(self) -> int:
        """How far the audio is ahead now, in µs."""
        ahead_us = self._start_us + self.sent_us + self._gate.lost_us - self._clock()
        if ahead_us < 0:  # the audio came slower than it plays: the queue has been empty
            self._start_us -= ahead_us
        self._ahead_us = max(0, ahead_us)
        return self._ahead_us
