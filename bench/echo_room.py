"""A caller with a loudspeaker, in virtual time: what the bot plays comes back late, weaker and with the room's ring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.clock.replay_loops import run_paced, this_loop
from webapi.voice_node.config import Settings
from webapi.voice_node.events import Event
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.pipeline import Session
from webapi.voice_node.recording.call_recorder import CallRecorder
from webapi.voice_node.replay.sinks import ReplaySink

RATE_HZ = 48_000
CHUNK = RATE_HZ // 100 * 2  # bytes of 10 ms
LOUDEST = 6_000  # of a loudspeaker that clips, softly; the bot's voice has an RMS of 3,300
Samples = NDArray[np.float64]


@dataclass
class Room:
    """The way from the loudspeaker to the microphone. `late_ms` in whole 10 ms; `ring_ms` of reverberation."""

    late_ms: int
    gain_db: float
    ring_ms: int = 0
    clips: bool = False
    seed: int = 1  # of the reverberation
    _played: list[Samples] = field(init=False, default_factory=list)
    _rest: Samples = field(init=False, default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self._response = np.ones(1)
        if self.ring_ms:
            n = RATE_HZ * self.ring_ms // 1000
            self._response = np.random.default_rng(self.seed).standard_normal(n) * np.exp(-5 * np.arange(n) / n)
            self._response[0] = 3  # the direct way
            self._response /= np.sqrt((self._response**2).sum())

    def mixed(self, said: bytes, played: bytes) -> bytes:
        """What the microphone takes up in 10 ms in which the caller says this, and the loudspeaker plays that."""
        loud = np.frombuffer(played, "<i2").astype(np.float64)
        self._played.append(np.tanh(loud / LOUDEST) * LOUDEST if self.clips else loud)
        at = len(self._played) - 1 - self.late_ms // 10
        echo = np.convolve(self._played[at], self._response) if at >= 0 else np.zeros(CHUNK // 2)
        echo = np.pad(echo, (0, max(0, len(self._rest) - len(echo))))
        echo[: len(self._rest)] += self._rest
        self._rest = echo[CHUNK // 2 :]
        if at >= 0:
            self._played[at] = np.zeros(0)
        mixed = np.frombuffer(said, "<i2") + echo[: CHUNK // 2] * 10 ** (self.gain_db / 20)
        return np.clip(mixed, -32768, 32767).astype("<i2").tobytes()


def call(
    said: bytes,
    room: Room,
    graph: GraphSpec,
    settings: Settings,
    *,
    echo: bool = True,
    recorder: CallRecorder | None = None,
    fail: Callable[[Exception], Any],
) -> list[Event]:
    """A session whose caller says `said` (48 kHz int16 mono) in that room; what happened, in microseconds from 0."""
    events: list[Event] = []

    async def main() -> None:
        loop = this_loop()
        mouth = ReplaySink(loop)
        session = Session(
            graph,
            settings=settings,
            sink=mouth,
            clock=loop.clock_us,
            session_id="s",
            room="r",
            taps=[events.append],
            on_failure=fail,
            note=recorder.note if recorder else None,
        )
        if recorder:
            session.tap(lambda event: recorder.event(event, 0))
        for at in range(0, len(said), CHUNK):
            await loop.until(loop.now_us + 10_000)
            session.hear(room.mixed(said[at : at + CHUNK].ljust(CHUNK, b"\0"), mouth.played()), RATE_HZ, echo)
        await session.close()

    run_paced(main(), "virtual", name="echo_room")
    return events
