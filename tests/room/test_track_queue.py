"""What is known of livekit's queue, against one that is played as livekit plays it: 10 ms a tick, where it has them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.voice_node.room.track_queue import LATE_S, TICK_BYTES, TICK_S, UNSURE_S, Ticks, TrackQueue

ORIGIN_S = 1234.5678
TICK = ORIGIN_S + 1.0  # one of the ticks after they were learnt
NOISE_S = (0.0001, -0.0001, 0.0002, 0.0, -0.0002, 0.0031, 0.0, 0.0001, -0.0001)  # one came late: the machine was busy


def learnt(origin_s: float = ORIGIN_S, noise_s: Sequence[float] = NOISE_S) -> Ticks:
    """As learnt from stamps at ticks, each as late as is usual and some noise."""
    return Ticks([origin_s + n * TICK_S + LATE_S + late_s for n, late_s in enumerate(noise_s)])


def sound(size: int, seed: int = 0) -> bytes:
    """So many bytes, none like its neighbours."""
    return bytes((i * 7 + seed) % 251 for i in range(size))


@given(st.floats(0, 1e6), st.floats(0, TICK_S))
def test_ticks_are_learnt_wherever_they_are(origin_s: float, past_s: float) -> None:
    ticks = learnt(origin_s)
    at_s = origin_s + 100 * TICK_S + past_s
    if UNSURE_S < past_s < TICK_S - UNSURE_S:
        assert ticks.wait_s(at_s) == 0
        assert ticks.count(at_s) - ticks.count(at_s - TICK_S) == 1
        assert ticks.count(at_s) - ticks.count(origin_s + TICK_S / 2) == 100
    else:
        assert ticks.wait_s(at_s) <= 2 * UNSURE_S + 1e-9


def test_near_a_tick_one_waits_until_it_is_past() -> None:
    ticks = learnt()
    for near_s in (-0.0003, 0.0, 0.0003):
        wait_s = ticks.wait_s(ORIGIN_S + near_s)
        assert near_s + wait_s == pytest.approx(UNSURE_S, abs=1e-6)
        assert ticks.wait_s(ORIGIN_S + near_s + wait_s + 1e-6) == 0


@given(st.lists(st.tuples(st.integers(1, 960), st.integers(0, 30)), min_size=1, max_size=40))
def test_what_is_left_is_what_a_real_queue_would_have(pushes: list[tuple[int, int]]) -> None:
    playout, queue = TrackQueue(learnt()), bytearray()
    for number, (samples, ticks_later) in enumerate(pushes):
        pcm, at_s = sound(samples * 2, number), TICK + TICK_S / 2 + sum(t for _, t in pushes[:number]) * TICK_S
        playout.put(pcm, at_s)
        queue += pcm
        for _ in range(ticks_later):
            if len(queue) >= TICK_BYTES:
                del queue[:TICK_BYTES]
        assert playout.left(at_s + ticks_later * TICK_S) == queue


def test_a_cleared_queue_is_empty_and_gives_what_was_in_it() -> None:
    playout = TrackQueue(learnt())
    pcm = sound(5 * TICK_BYTES)
    playout.put(pcm, TICK + 0.001)
    assert playout.clear(TICK + 0.021) == pcm[2 * TICK_BYTES :]
    assert playout.left(TICK + 0.022) == b""


def test_cleared_just_at_a_tick_nobody_knows_what_was_in_it() -> None:
    playout = TrackQueue(learnt())
    playout.put(sound(5 * TICK_BYTES), TICK + 0.001)
    assert playout.clear(TICK + 0.0201) is None
    assert playout.left(TICK + 0.022) == b""


def test_only_what_is_put_into_an_empty_queue_waits_for_its_moment() -> None:
    playout = TrackQueue(learnt())
    assert playout.wait_s(TICK) > 0
    playout.put(sound(5 * TICK_BYTES), TICK + 0.001)
    assert playout.wait_s(TICK + 0.0201) == 0
    assert playout.wait_s(TICK + 0.0501) > 0
