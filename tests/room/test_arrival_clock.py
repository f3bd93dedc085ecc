"""When frames arrived, recovered from the stream's own clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.voice_node.room.arrival_clock import PACED, ArrivalClock

FRAME_MS = 10
CALM_MS = 500  # what comes before each case: fifty frames, read when they are due
Reads = list[tuple[int, float]]  # number, ms at which it was read


def steady(first: int, count: int, *, late_ms: float = 0.0, every_ms: float = FRAME_MS) -> Reads:
    """Frames from number `first` on, read every `every_ms` from the moment at which the first is due, or later."""
    return [(first + i, first * FRAME_MS + late_ms + i * every_ms) for i in range(count)]


def burst(first: int, count: int, at_ms: float, *, every_ms: float = 0.0) -> Reads:
    """Frames that had waited, read one after the other from `at_ms` on."""
    return [(first + i, at_ms + i * every_ms) for i in range(count)]


def due(first: int, count: int) -> list[float]:
    """When these frames are due, ms."""
    return [n * FRAME_MS for n in range(first, first + count)]


def arrivals(reads: Reads) -> list[float]:
    """What the clock says, ms."""
    clock = ArrivalClock(FRAME_MS * 1000)
    return [clock.arrived(number, round(read_ms * 1000)) / 1000 for number, read_ms in reads]


CALM = steady(0, 50)
CASES: dict[str, tuple[Reads, list[float]]] = {
    "calm: the read": (steady(50, 50), due(50, 50)),
    "reads that jitter by less than a frame: the read": ([(50, 503), (51, 510), (52, 528.5)], [503, 510, 528.5]),
    "a stall of 100 ms": (burst(50, 11, 600) + steady(61, 5), due(50, 11) + due(61, 5)),
    "a stall of 300 ms": (burst(50, 31, 800) + steady(81, 5), due(50, 31) + due(81, 5)),
    "a stall of 450 ms": (burst(50, 46, 950) + steady(96, 5), due(50, 46) + due(96, 5)),
    "a backlog that is read slowly": (burst(50, 101, 800, every_ms=7), [*due(50, 97), 1479, 1486, 1493, 1500]),
    "a stall of 2 s, of which the oldest frames were dropped": (burst(200, 51, 2500) + steady(251, 5), due(200, 56)),
    "a stall in which the backlog of another is read": (
        burst(50, 10, 800) + burst(60, 51, 1100) + steady(111, 5),
        due(50, 66),
    ),
    "a stream that pauses: the read, as soon as it has gone on at its pace": (
        steady(50, 100, late_ms=400),
        [500.0 + i * 10 for i in range(PACED - 1)] + [900.0 + i * 10 for i in range(PACED - 1, 100)],
    ),
    "a stream that does not make up for a stall": (
        steady(50, 40, late_ms=300),
        [500.0 + i * 10 for i in range(PACED - 1)] + [800.0 + i * 10 for i in range(PACED - 1, 40)],
    ),
    "a clock that is slower by 1 %": (steady(50, 1000, every_ms=10.1), [500 + i * 10.1 for i in range(1000)]),
    "a clock that is faster by 1 %": (steady(50, 1000, every_ms=9.9), [500 + i * 9.9 for i in range(1000)]),
}


@pytest.mark.parametrize(("reads", "expected"), CASES.values(), ids=CASES.keys())
def test_arrivals(reads: Reads, expected: list[float]) -> None:
    assert arrivals(CALM + reads)[len(CALM) :] == pytest.approx(expected)


def test_what_had_waited_before_the_first_read_counts_as_read() -> None:
    assert arrivals(burst(0, 5, 300)) == [300] * 5


def test_a_stall_soon_after_a_pause_of_the_stream_is_recovered() -> None:
    paused = steady(50, PACED, late_ms=200)
    after = burst(50 + PACED, 31, 1200)
    assert arrivals(CALM + paused + after)[-31:] == pytest.approx([900 + i * 10 for i in range(31)])


def test_what_waited_in_the_jitter_buffer_arrived_earlier_and_not_before_what_came_out_before() -> None:
    clock = ArrivalClock(FRAME_MS * 1000)
    waited_ms = [0] * 3 + [45] * 6 + [0] * 2
    stamps = [clock.arrived(n, n * 10_000, waited * 1000) / 1000 for n, waited in enumerate(waited_ms)]
    assert stamps == [0, 10, 20, 20, 20, 20, 20, 25, 35, 90, 100]


def test_after_a_stall_of_the_process_what_the_buffer_held_was_in_time_and_what_came_then_is_late() -> None:
    """SIGSTOP for 300 ms, measured: 60 ms were in the buffer, 240 of silence came out, then what came meanwhile."""
    clock = ArrivalClock(FRAME_MS * 1000)
    reads = [(read, 0) for read in CALM] + [(read, 240) for read in burst(50, 31, 800) + steady(81, 20)]
    stamps = [clock.arrived(number, round(at_ms * 1000), waited * 1000) / 1000 for (number, at_ms), waited in reads]
    assert stamps[50:57] == due(50, 7)  # held by the buffer
    assert stamps[57:81] == [560] * 24  # made up: no time passes for the caller
    assert stamps[81:] == [due_ms - 240 for due_ms in due(81, 20)]


def test_what_a_blocked_loop_reads_late_had_also_waited_in_a_buffer_that_had_grown_before() -> None:
    clock = ArrivalClock(FRAME_MS * 1000)
    reads = [(read, 40) for read in CALM + burst(50, 31, 800) + steady(81, 5)]
    stamps = [clock.arrived(number, round(at_ms * 1000), waited * 1000) / 1000 for (number, at_ms), waited in reads]
    assert stamps[50:] == [due_ms - 40 for due_ms in due(50, 36)]


@given(st.lists(st.tuples(st.integers(0, 600_000), st.integers(1, 60)), min_size=1, max_size=20), st.integers(0, 3000))
def test_an_arrival_is_never_after_its_read_never_before_it_was_due_and_never_goes_back(
    stalls: list[tuple[int, int]], jitter: int
) -> None:
    """Stalls of so many µs, with so many frames read in peace between them."""
    clock, number, last_us = ArrivalClock(10_000), 0, 0
    for stall_us, calm in [(0, 50), *stalls]:
        free_us = number * 10_000 + stall_us  # the program runs again
        while number * 10_000 < free_us + calm * 10_000:
            read_us = max(free_us, number * 10_000 + jitter * (number % 2))
            arrived_us = clock.arrived(number, read_us)
            assert last_us <= arrived_us <= read_us
            assert number * 10_000 <= arrived_us < number * 10_000 + 10_000 + jitter
            last_us = arrived_us
            number += 1
