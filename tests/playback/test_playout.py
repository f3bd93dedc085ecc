"""What was pushed, what of it is left, and what is taken back."""

from __future__ import annotations

import numpy as np
import pytest

from webapi.voice_node.events import ReplyAudio, Turn
from webapi.voice_node.playback.playout import Playout

TURN = Turn("a", 0)


def piece(t_us: int, number: int) -> ReplyAudio:
    """20 ms at 48 kHz, pushed at `t_us`; its samples go on where those of the piece before end."""
    return ReplyAudio(t_us, TURN, np.arange(number * 960, (number + 1) * 960, dtype="<i2").tobytes(), 48_000)


@pytest.mark.parametrize("began_us", [0, 10, 1_234_567])
def test_a_reply_may_begin_at_any_microsecond(began_us: int) -> None:
    playout = Playout()
    for number in range(3):
        playout.push(piece(began_us, number))
    assert playout.pushed_us == 60_000
    assert playout.left_us(began_us + 59_999) == 1
    assert playout.left_us(began_us + 60_000) == 0


def test_what_was_late_plays_from_when_it_came() -> None:
    playout = Playout()
    playout.push(piece(0, 0))
    playout.push(piece(50_003, 1))
    assert playout.left_us(50_003) == 20_000
    assert playout.take_back(50_003, 0) == piece(0, 1).pcm


@pytest.mark.parametrize("at_us", [0, 1, 19_999, 20_000, 33_333, 59_999, 60_000])
def test_what_is_taken_back_begins_with_the_sample_that_plays(at_us: int) -> None:
    playout = Playout()
    for number in range(3):
        playout.push(piece(0, number))
    back = np.frombuffer(playout.take_back(at_us, 0), "<i2")
    assert back.tolist() == list(range(at_us * 48 // 1000, 3 * 960))
    assert playout.left_us(at_us) == 0


def test_a_fade_delays_the_next_reply_and_is_no_part_of_it() -> None:
    playout = Playout()
    playout.push(piece(0, 0))
    playout.take_back(5_000, 10_000)
    playout.begin()
    playout.push(piece(5_000, 1))
    assert playout.left_us(5_000) == 20_000
    assert playout.left_us(35_000) == 0
    assert playout.left_us(34_999) == 1
    assert playout.take_back(5_000, 0) == piece(0, 1).pcm


@pytest.mark.parametrize("ahead_us", [0, 400_000])
def test_an_hour_of_audio_is_not_kept(ahead_us: int) -> None:
    playout, longest = Playout(), 0
    pcm = bytes(1920)
    for number in range(3600 * 50):
        playout.push(ReplyAudio(max(0, number * 20_000 - ahead_us), TURN, pcm, 48_000))
        longest = max(longest, len(playout._queue._queue))
    assert playout.pushed_us == 3600 * 1_000_000
    assert longest <= ahead_us // 20_000 + 2  # pieces
