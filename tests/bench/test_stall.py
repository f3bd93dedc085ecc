"""What bench.stall makes of its turns. (That it takes them is shown by running it.)"""

from __future__ import annotations

import pytest

from bench.stall import WAY_IN_MS, Stall, Turn, rows

CALM = Stall("none")
LOOP = Stall("loop", 300)
PROCESS = Stall("process", 300, WAY_IN_MS)


def test_the_path_without_a_stall_is_taken_off() -> None:
    taken = [Turn(CALM, 100, 220, 280), Turn(CALM, 98, 218, 290), Turn(CALM, 102, 222, 282)]
    calm, loop, process = rows([*taken, Turn(LOOP, 260, 400, 470), Turn(PROCESS, 330, 440, 900)])
    assert (calm.turns, calm.node, calm.told, calm.silent) == (3, 100, 100, 102)
    assert (loop.told, loop.silent) == (280, 290)
    assert loop.apart == [-20, -30]
    assert process.apart == [pytest.approx(10)]  # the caller's own jitter buffer has grown: `silent` has no goal


def test_what_is_too_far_is_missed() -> None:
    taken = [Turn(CALM, 100, 220, 280), Turn(PROCESS, 300, 449, 800), Turn(LOOP, 300, 420, 511)]
    calm, process, loop = rows(taken)
    assert (process.apart, loop.apart) == ([-29], [0, -31])
    assert (calm.missed, process.missed, loop.missed) == (False, False, True)
