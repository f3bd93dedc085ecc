"""What was dropped is reported, but not too often."""

from __future__ import annotations

from webapi.voice_node.room.drop_counter import DropCounter


def test_a_count_is_reported_at_most_once_a_second_and_complete() -> None:
    now = [100.0]
    counter = DropCounter(lambda: now[0])
    assert counter.add(0) == 0
    assert counter.add(3) == 3
    reported = 3
    for _ in range(99):
        now[0] += 0.01
        reported += counter.add(1)
    assert reported == 3
    now[0] += 0.02
    assert counter.add(0) == 99
    assert counter.rest() == 0
    counter.add(2)
    assert counter.rest() == 2
