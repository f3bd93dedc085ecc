"""The load that a worker reports."""

from __future__ import annotations

import asyncio

import pytest

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.node.worker.load import BUSY, LATE_S, OPEN, WINDOW, Pressure, reported_load


@pytest.mark.parametrize(
    ("calls", "pressure", "load"),
    [(0, 0, 0), (5, 0.1, 0.5 * OPEN), (5, 0.8, 0.8 * OPEN), (10, 0, 1), (11, 0, 1), (0, 3, 1)],
)
def test_the_load_is_that_of_the_calls_or_of_what_is_measured(calls: int, pressure: float, load: float) -> None:
    assert reported_load(calls, 10, pressure) == load


def test_a_worker_with_room_for_a_call_is_below_the_load_up_to_which_livekit_gives_it_one() -> None:
    assert reported_load(99, 100, 0.99) < 0.7


def test_an_idle_worker_has_no_pressure() -> None:
    pressure = Pressure(2, children=False)
    assert pressure.value == 0
    pressure.add(1.0, 0.0, 0.0, 0.0)
    assert pressure.value == 0


@pytest.mark.parametrize(
    ("late_s", "thread_s", "used_s"),
    [(LATE_S, 0, 0), (0, BUSY, BUSY), (0, 0.1, 2 * BUSY)],
    ids=["a late loop", "a busy loop", "busy processors"],
)
def test_each_measure_alone_can_fill_a_worker(late_s: float, thread_s: float, used_s: float) -> None:
    pressure = Pressure(2, children=False)
    for _ in range(WINDOW):
        pressure.add(1.0, late_s, thread_s, used_s)
    assert pressure.value == pytest.approx(1.0)


def test_one_moment_does_not_fill_a_worker_and_is_forgotten() -> None:
    pressure = Pressure(2, children=False)
    pressure.add(1.0, 2 * LATE_S, 0.0, 0.0)
    for _ in range(WINDOW - 1):
        pressure.add(1.0, 0.0, 0.0, 0.0)
    assert pressure.value == pytest.approx(2 / WINDOW)
    pressure.add(1.0, 0.0, 0.0, 0.0)
    assert pressure.value == 0


def test_it_measures_in_the_running_loop() -> None:
    async def scenario() -> float:
        pressure = Pressure(1000, children=True)
        task = asyncio.create_task(pressure.run())
        await asyncio.sleep(10)
        task.cancel()
        return pressure.value

    assert 0 <= run_virtual(scenario()) < 1
