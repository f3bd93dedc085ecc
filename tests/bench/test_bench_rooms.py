"""The arithmetic of bench.rooms: slopes over the number of calls, and the goals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.rooms import Cost, Step, cost, missed

ONE = Step("needed", 1, 14.0, 5.0, 60.0, (0.4, 2.0, 9.0), 1.0, 100.0, 20, 40, 30, 50.0)
STEPS = [
    replace(ONE, calls=0, cpu=12.0, pss_mb=90.0),  # six rooms, nobody in them
    ONE,
    replace(ONE, calls=6, cpu=64.0, pss_mb=130.0, late_ms=(0.8, 11.0, 30.0), turns=0.9),
]


def test_a_further_call_is_the_slope_over_the_calls() -> None:
    found = cost("needed", STEPS)
    assert found.cpu == pytest.approx(10)
    assert found.mb == pytest.approx(6)
    assert found.first_cpu == 14
    assert found.idle_cpu == 2
    assert (found.late_p50_ms, found.late_p99_ms, found.turns) == (0.8, 11, 0.9)


def test_rounds_count_by_their_median() -> None:
    others = [replace(step, cpu=step.cpu + more) for step in STEPS for more in (0.0, 0.5, 300.0)]
    assert cost("needed", others).cpu == pytest.approx(10)


def test_missed_goals_are_named() -> None:
    found: Cost = cost("needed", STEPS)
    assert missed([found]) == [
        "needed: 10.0 % of a core, goal 9",
        "needed: the loop 11.0 ms late at p99, goal 10",
    ]
    assert missed([replace(found, cpu=8.9, late_p99_ms=9.9)]) == []
    assert missed([replace(found, variant="bare")]) == []
