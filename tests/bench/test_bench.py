"""What the bench makes of stamps. (That it takes them is shown by running it.)"""

from __future__ import annotations

import numpy as np
import pytest

from bench.live_call import HUSH_S, Record, Turn, silence
from bench.measures import measure
from bench.node_probe import Flush, Notes
from bench.stall_meter import touched
from tests.e2e.caller import Heard

LOUD = np.full(480, 7000, "<i2").tobytes()
QUIET = np.full(480, 20, "<i2").tobytes()


def record(turns: int = 3) -> Record:
    """So many barge-ins, a second apart, all alike; times are easy to follow in ms."""
    taken = Record(calls=1)
    for at_s in map(float, range(1, turns + 1)):
        taken.turns.append(Turn(at_s, at_s + 0.250, at_s + 0.400, at_s + 0.800, []))
        taken.notes.flushes.append(Flush(at_s + 0.180, at_s + 0.1802, at_s + 0.181, at_s + 0.080))
        taken.notes.yields.append(at_s + 0.740)
        taken.notes.published += [at_s + 0.1815, at_s + 0.743, at_s + 0.745]
        taken.notes.turns.append({"t6_first_bot_audio": at_s + 0.742})
    return taken


def test_every_stretch_of_a_turn_is_measured() -> None:
    result = measure(record())
    assert result.turns[1] == pytest.approx(
        {
            "flush": 1.0, "publish": 3.0, "silence": 250.0, "way_in": 80.0, "rule": 100.0, "way_out": 69.0,
            "answer": 400.0, "t6_to_sound": 58.0, "t6_to_publish": 1.0,
        }
    )  # fmt: skip
    assert result.median("silence") == pytest.approx(250)
    assert not result.missed()
    assert (result.stalled, result.odd) == (0, 0)


def test_a_turn_that_a_stall_touched_does_not_count() -> None:
    taken = record()
    taken.gaps.append((1.95, 2.01))  # ends in the second turn
    result = measure(taken)
    assert (len(result.turns), result.stalled, result.seen) == (2, 1, 3)


def test_a_turn_that_the_node_knows_nothing_of_is_counted_apart() -> None:
    taken = record()
    del taken.notes.flushes[0]
    taken.notes = Notes(**{**vars(taken.notes), "turns": taken.notes.turns[:2]})
    result = measure(taken)
    assert (len(result.turns), result.odd) == (1, 2)


def test_a_median_above_its_goal_is_missed() -> None:
    taken = record()
    for flush in taken.notes.flushes[:2]:
        flush.arrived_s -= 0.0015
    assert [goal.name for goal in measure(taken).missed()] == ["flush"]


def test_a_stall_touches_what_it_overlaps() -> None:
    gaps = [(1.0, 1.1), (3.0, 3.1)]
    assert touched(gaps, 1.05, 1.06)
    assert touched(gaps, 0.5, 1.0)
    assert touched(gaps, 2.0, 4.0)
    assert not touched(gaps, 1.2, 2.9)


def test_silence_begins_where_nothing_louder_follows() -> None:
    def heard(pattern: str) -> list[Heard]:
        return [Heard(i / 100, LOUD if c == "x" else QUIET) for i, c in enumerate(pattern)]

    long = "." * (round(HUSH_S * 100) + 1)
    assert silence(heard("xxxx" + long), 0.0) == pytest.approx(0.04)
    assert silence(heard("xxxx..x" + long), 0.0) == pytest.approx(0.07)  # a click after the silence is no silence
    assert silence(heard("...." + "xxxx" + long), 0.02) == pytest.approx(0.08)
    assert silence(heard(long + "xx"), 0.20) == 0.0
