"""What bench.stall makes of its turns. (That it takes them is shown by running it.)"""

from __future__ import annotations

import pytest

from bench.stall import WAY_IN_MS, Stall, Turn, rows

CALM = Stall("none")
LOOP = Stall("loop", 300)
PROCESS = Stall("process", 300, WAY_IN_MS)
IN_FLIGHT = Stall("process", 300)


def test_the_path_without_a_stall_is_taken_off() -> None:
    taken = [Turn(CALM, 100, 220, 280), Turn(CALM, 98, 218, 290), Turn(CALM, 102, 222, 282)]
    calm, loop, process = rows([*taken, Turn(LOOP, 260, 400, 470), Turn(PROCESS, 330, 440, 900)])
    assert (calm.turns, calm.node, calm.told, calm.silent) == (3, 100, 100, 102)
    assert (loop.told, loop.silent) == (280, 290)
    assert loop.apart == [-20, -30]
    assert process.apart == [pytest.approx(10)]  # the caller's own jitter buffer has grown: `silent` has no goal


def test_what_was_in_flight_may_be_a_packet_or_two_further_off() -> None:
    assert IN_FLIGHT.in_flight
    assert not PROCESS.in_flight
    taken = [Turn(CALM, 100, 220, 280), Turn(IN_FLIGHT, 300, 465, 800), Turn(PROCESS, 300, 465, 800)]
    calm, in_flight, process = rows(taken)
    assert in_flight.apart == process.apart == [-45]
    assert (calm.missed, in_flight.missed, process.missed) == (False, False, True)
