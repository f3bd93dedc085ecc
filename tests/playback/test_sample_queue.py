"""A queue of audio: what is taken, skipped and cut, by sample positions."""

from __future__ import annotations

import numpy as np

from webapi.voice_node.playback.sample_queue import SampleQueue


def test_what_plays_is_taken_in_its_time() -> None:
    queue = SampleQueue()
    queue.push(10, b"\1\0" * 20)
    queue.push(12, b"\2\0" * 20)  # behind the first
    assert np.frombuffer(queue.take(15), "<i2").tolist() == [0] * 10 + [1] * 5
    queue.skip(28)
    assert np.frombuffer(queue.take(32), "<i2").tolist() == [1, 1, 2, 2]
    queue.cut(40)
    rest = np.frombuffer(queue.take(60), "<i2")
    assert rest[:8].tolist() == [2] * 8
    assert rest[-8:].tolist() == [0] * 8


def test_what_is_dropped_is_what_is_not_played_and_it_does_not_fade() -> None:
    queue = SampleQueue()
    queue.push(10, b"\1\0" * 20)
    queue.push(12, b"\2\0" * 20)
    assert queue.drop(15) == 35
    queue.push(15, b"\3\0" * 2)
    assert np.frombuffer(queue.take(20), "<i2").tolist() == [0] * 10 + [1] * 5 + [3] * 2 + [0] * 3
    assert queue.drop(25) == 0
