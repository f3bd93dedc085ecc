"""The load that a worker reports."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.node.worker.load import BUSY, LATE_S, OPEN, WINDOW, Pressure, UsedTime, reported_load


@pytest.mark.parametrize(
    ("calls", "pressure", "load"),
    [(0, 0, 0), (5, 0.1, 0.5 * OPEN), (5, 0.8, 0.8 * OPEN), (10, 0, 1), (11, 0, 1), (0, 3, 1)],
)
def test_the_load_is_that_of_the_calls_or_of_what_is_measured(calls: int, pressure: float, load: float) -> None:
    assert reported_load(calls, 10, pressure) == load


def test_a_worker_with_room_for_a_call_is_below_the_load_up_to_which_livekit_gives_it_one() -> None:
    assert reported_load(99, 100, 0.99) < 0.7


def test_an_idle_worker_has_no_pressure() -> None:
    pressure = Pressure(2)
    assert pressure.value == 0
    pressure.add(1.0, 0.0, 0.0, 0.0)
    assert pressure.value == 0


@pytest.mark.parametrize(
    ("late_s", "thread_s", "used_s"),
    [(LATE_S, 0, 0), (0, BUSY, BUSY), (0, 0.1, 2 * BUSY)],
    ids=["a late loop", "a busy loop", "busy processors"],
)
def test_each_measure_alone_can_fill_a_worker(late_s: float, thread_s: float, used_s: float) -> None:
    pressure = Pressure(2)
    for _ in range(WINDOW):
        pressure.add(1.0, late_s, thread_s, used_s)
    assert pressure.value == pytest.approx(1.0)


def test_one_moment_does_not_fill_a_worker_and_is_forgotten() -> None:
    pressure = Pressure(2)
    pressure.add(1.0, 2 * LATE_S, 0.0, 0.0)
    for _ in range(WINDOW - 1):
        pressure.add(1.0, 0.0, 0.0, 0.0)
    assert pressure.value == pytest.approx(2 / WINDOW)
    pressure.add(1.0, 0.0, 0.0, 0.0)
    assert pressure.value == 0


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process that computes until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield process
    process.kill()
    process.wait()


def wait_until(done: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline_s
        os.sched_yield()


def test_the_processes_of_calls_count(busy: subprocess.Popen[bytes]) -> None:
    used = UsedTime(lambda: [busy.pid])
    used.since_last()
    child = psutil.Process(busy.pid)
    before_s = child.cpu_times().user
    wait_until(lambda: child.cpu_times().user >= before_s + 0.3)
    assert used.since_last() >= 0.3


def test_a_process_that_ends_takes_nothing_off_what_the_others_used(busy: subprocess.Popen[bytes]) -> None:
    pids = [busy.pid]
    wait_until(lambda: psutil.Process(busy.pid).cpu_times().user >= 0.3)
    used = UsedTime(lambda: pids)
    used.since_last()
    busy.kill()
    busy.wait()
    assert used.since_last() >= 0
    pids.clear()
    assert used.since_last() >= 0


def test_it_measures_in_the_running_loop() -> None:
    async def scenario() -> float:
        pressure = Pressure(1000, lambda: [os.getpid()])
        task = asyncio.create_task(pressure.run())
        await asyncio.sleep(10)
        task.cancel()
        return pressure.value

    assert 0 <= run_virtual(scenario()) < 1
