"""A whole session in virtual time: scripted caller in, what happened and what was played out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tests.speech import babble, chatter, dial_tone, hum, silence, vowel
from webapi.voice_node.clock.off_loop import Compute, at_once
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import Settings, load_settings, public
from webapi.voice_node.events import Digit, Event
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.pipeline import Session
from webapi.voice_node.recording.call_recorder import CallRecorder
from webapi.voice_node.recording.graph_folder import to_graph_folder
from webapi.voice_node.replay.event_letters import EVENT_LETTERS
from webapi.voice_node.room.arrival_clock import ArrivalClock

RATE_HZ = 48_000
CHUNK_MS = 10
CHUNK_BYTES = RATE_HZ * CHUNK_MS // 1000 * 2
SOUNDS: dict[str, Callable[[float], bytes]] = {
    "speech": vowel,
    "chatter": chatter,
    "dial tone": dial_tone,
    "hum": hum,
    "babble": babble,
    "quiet": silence,
}


class Ear:
    """A sink that plays in (virtual) real time and remembers what was heard when."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._end_us = 0
        self.pushes: list[tuple[int, bytes]] = []  # (when it began to play, audio)
        self.clears: list[int] = []

    def push(self, pcm: bytes) -> None:
        """Queue it behind what is queued."""
        start_us = max(self._end_us, self._loop.now_us)
        self._end_us = start_us + len(pcm) // 2 * 1_000_000 // RATE_HZ
        self.pushes.append((start_us, pcm))

    def clear(self) -> None:
        """Forget what has not begun to play; cut what has."""
        now_us = self._loop.now_us
        self.clears.append(now_us)
        self.pushes = [
            (at, pcm[: max(0, now_us - at) * RATE_HZ // 1_000_000 * 2]) for at, pcm in self.pushes if at < now_us
        ]
        self._end_us = now_us

    def take_back(self) -> int:
        """Forget what has not been played yet. How many samples that were."""
        now_us = self._loop.now_us
        left = max(0, self._end_us - now_us) * RATE_HZ // 1_000_000
        self.pushes = [
            (at, pcm[: max(0, now_us - at) * RATE_HZ // 1_000_000 * 2]) for at, pcm in self.pushes if at < now_us
        ]
        self._end_us = min(self._end_us, now_us)
        return left

    def queued_ms(self) -> int:
        """How much is queued and not yet played."""
        return max(0, self._end_us - self._loop.now_us) // 1000

    def heard(self, from_s: float, to_s: float) -> bytes:
        """What was played from piece to piece in that time, silence left out."""
        return b"".join(pcm for at, pcm in self.pushes if from_s <= at / 1e6 < to_s)


@dataclass
class Played:
    """What came of it."""

    events: list[Event]
    lines: list[dict[str, Any]]  # of metrics.jsonl
    ear: Ear
    failures: list[Exception]
    tasks_left: int
    idle_at_end: bool  # before the session was closed
    end_us: int
    deepest_ms: int = 0
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [e.name for e in self.events]

    def of(self, name: str) -> list[Any]:
        """The events of that name."""
        return [e for e in self.events if e.name == name]

    def marbles(self) -> str:
        """The events in order, a letter each: see LETTERS."""
        return "".join(LETTERS[name] for name in self.names if name in LETTERS)


def stuttering(loop: VirtualTimeLoop) -> Callable[[], int]:
    """A clock that goes on with every look at it, and is up to 3 ms late: as when other things run between."""
    chance = random.Random(1)  # noqa: S311 - no secret: a stutter
    last_us = 5_000_000_000

    def clock() -> int:
        nonlocal last_us
        last_us = max(last_us + chance.randint(1, 40), 5_000_000_000 + loop.now_us + chance.randint(0, 3000))
        return last_us

    return clock


LETTERS = {
    **EVENT_LETTERS,
    "reply_started": "Q",
    "reply_ended": "Z",
    "reply_cut": "C",
    "hook_failed": "!",
    "frames_dropped": "d",
}


def play(
    script: Sequence[tuple[str, float]],
    *,
    graph: str = "default",
    graph_text: str | None = None,
    record: Path | None = None,
    caller: CallerInfo | None = None,
    compute: Compute = at_once,
    **settings: Any,
) -> Played:
    """Run a script of (what, seconds): one of SOUNDS, `gap` (the audio is lost, and nothing comes),
    `cut` (nobody hears the bot any more, and nothing comes), `key 5` (the caller presses 5), or `stall` (nothing
    runs, and what the caller says meanwhile, which is what follows in the script, is heard at once when it is over).

    With `record`, it is recorded into that folder, and the session's clock stutters as a live one does.
    """
    made: Settings = load_settings(**settings)
    spec = read_graph(graph_text, Path("test.yaml"), made) if graph_text else load_graph(graph, made)

    async def main() -> Played:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        ear = Ear(loop)
        events: list[Event] = []
        lines: list[dict[str, Any]] = []
        failures: list[Exception] = []
        metrics = Metrics("s", "demo", spec.name, lines.append)
        clock = stuttering(loop) if record else loop.clock_us
        origin_us = clock()
        recorder = None
        if record:
            header: dict[str, Any] = {"session_id": "s", "room": "demo", "graph": spec.name, "origin_us": origin_us}
            header["settings"] = public(made)
            header["graph_folder"] = to_graph_folder(spec, record)
            recorder = CallRecorder(record, header, spec.text, lambda why: failures.append(OSError(why)))
            events_to = recorder
        session = Session(
            spec,
            settings=made,
            sink=ear,
            clock=clock,
            session_id="s",
            room="demo",
            taps=[events.append, metrics],
            on_failure=failures.append,
            on_trouble=failures.append,
            note=recorder.note if recorder else None,
            origin_us=origin_us,
            caller=caller or CallerInfo(),
            compute=compute,
        )
        if recorder:
            session.tap(lambda event: events_to.event(event, origin_us))
        deepest = 0
        arrivals, due_us = ArrivalClock(CHUNK_MS * 1000), loop.now_us
        for what, seconds in script:
            if what == "stall":
                loop.now_us += round(seconds * 1_000_000)
                for _ in range(round(seconds * 100) % 2 * 9):  # what else has waited comes before the caller's audio
                    await asyncio.sleep(0)
                continue
            if what.startswith("key "):
                session.press(cast(Digit, what.removeprefix("key ")))
                continue
            if what in ("gap", "cut"):
                session.lost("muted") if what == "gap" else session.cut("connection lost")
                await asyncio.sleep(seconds)
                due_us = loop.now_us
                continue
            pcm = SOUNDS[what](seconds)
            for at in range(0, len(pcm), CHUNK_BYTES):
                due_us += CHUNK_MS * 1000
                if due_us > loop.now_us:
                    await asyncio.sleep((due_us - loop.now_us) / 1_000_000)
                arrived_us = arrivals.arrived(due_us // (CHUNK_MS * 1000), clock())
                session.hear(pcm[at : at + CHUNK_BYTES], RATE_HZ, t_us=arrived_us)
                deepest = max(deepest, ear.queued_ms())
        idle = session.idle
        await session.close()
        metrics.close()
        if recorder:
            recorder.close()
        return Played(events, lines, ear, failures, len(asyncio.all_tasks()) - 1, idle, loop.now_us, deepest)

    return run_virtual(main())
