"""What a recorded call says: for each barge-in where the milliseconds went, and of them medians and goals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.live_call import Record, Turn
from bench.node_probe import Notes
from bench.stall_meter import touched


@dataclass(frozen=True)
class Measure:
    """A stretch of a turn in ms: what it is, and what its median must not exceed (None: no goal)."""

    name: str
    what: str
    goal_ms: float | None = None


MEASURES = (
    Measure("flush", "node: the frame that completes N voiced ones arrives → clear_queue is done", 2.0),
    Measure("publish", "node: the orchestrator yields its first chunk → capture_frame", 5.0),
    Measure("silence", "caller: first sample of the interrupting speech pushed → bot silent", 280.0),
    Measure("way_in", "of it: first sample pushed → first voiced frame at the node (20 ms of it are the frame)"),
    Measure("rule", "of it: first → N-th voiced frame"),
    Measure("way_out", "of it: clear_queue is done → bot silent at the caller"),
    Measure("answer", "caller: last sample pushed → first sound of the bot"),
    Measure("t6_to_sound", "t6_first_bot_audio of metrics.jsonl → first sound at the caller"),
    Measure("t6_to_publish", "t6_first_bot_audio of metrics.jsonl → capture_frame"),
)


@dataclass(frozen=True)
class Result:
    """The turns that count, each measure by name in ms, and how many others there were and why."""

    turns: list[dict[str, float]]
    recorded: list[Turn]  # the same turns as the caller saw them
    stalled: int  # a stall of 40 ms or more touched them
    calls: int
    odd: int  # the node noted no flush or no reply for them: something else went on

    @property
    def seen(self) -> int:
        """All turns."""
        return len(self.turns) + self.stalled + self.odd

    def values(self, name: str) -> list[float]:
        """A measure over all turns that count."""
        return [turn[name] for turn in self.turns]

    def median(self, name: str) -> float:
        """Its median, ms."""
        return float(np.median(self.values(name)))

    def p95(self, name: str) -> float:
        """Its 95th percentile, ms, interpolated."""
        return float(np.percentile(self.values(name), 95))

    def missed(self) -> list[Measure]:
        """The goals that were not met."""
        return [m for m in MEASURES if m.goal_ms is not None and self.median(m.name) > m.goal_ms]


def measure(record: Record) -> Result:
    """Drop the turns that a stall touched, and measure the others."""
    turns, recorded, stalled, odd = [], [], 0, 0
    for turn in record.turns:
        if touched(record.gaps, turn.spoke_s, turn.sound_s):
            stalled += 1
        elif (measured := stretches(turn, record.notes)) is None:
            odd += 1
        else:
            turns.append(measured)
            recorded.append(turn)
    return Result(turns, recorded, stalled, record.calls, odd)


def stretches(turn: Turn, notes: Notes) -> dict[str, float] | None:
    """Each measure of one turn, ms; None where the node's notes do not have all that belongs to it."""
    flush = next((f for f in notes.flushes if turn.spoke_s < f.taken_s < turn.silent_s), None)
    yielded_s = within(notes.yields, turn.done_s, turn.sound_s)
    t6_s = within([line["t6_first_bot_audio"] or 0.0 for line in notes.turns], turn.done_s, turn.sound_s)
    published_s = None if yielded_s is None else within(notes.published, yielded_s, turn.sound_s)
    if flush is None or yielded_s is None or t6_s is None or published_s is None:
        return None
    seconds = {
        "flush": flush.cleared_s - flush.arrived_s,
        "publish": published_s - yielded_s,
        "silence": turn.silent_s - turn.spoke_s,
        "way_in": flush.first_voiced_s - turn.spoke_s,
        "rule": flush.arrived_s - flush.first_voiced_s,
        "way_out": turn.silent_s - flush.cleared_s,
        "answer": turn.sound_s - turn.done_s,
        "t6_to_sound": turn.sound_s - t6_s,
        "t6_to_publish": published_s - t6_s,
    }
    return {name: round(value * 1000, 3) for name, value in seconds.items()}


def within(stamps: Sequence[float], from_s: float, to_s: float) -> float | None:
    """The first of the stamps in that stretch."""
    return next((stamp for stamp in stamps if from_s <= stamp <= to_s), None)
