"""How loud a caller speaks: levels of frames, and the usual one."""

from __future__ import annotations

import numpy as np
import pytest

from webapi.voice_node.hearing import loudness
from webapi.voice_node.hearing.loudness import Loudness, level_db


@pytest.mark.parametrize(
    ("sample", "expected"), [(0, -1), (1, 0), (10, 20), (-1000, 60), (32_767, 90), (-32_768, 90), (3, 10)]
)
def test_the_level_of_a_frame(sample: int, expected: int) -> None:
    assert level_db(np.full(160, sample, "<i2").tobytes()) == expected


def test_no_samples_have_no_level() -> None:
    assert level_db(b"") == -1


def said(s: Loudness, *levels: int | None) -> Loudness:
    """An utterance of frames with these levels."""
    s = loudness.at_onset(s)
    for level in levels:
        s = loudness.at_voice(s, level)
    return s


def test_nothing_is_softer_than_usual_before_a_turn_is_over() -> None:
    assert said(Loudness(), 30, 32).softer_db == 0
    assert Loudness(usual_db=60).softer_db == 0


def test_usual_is_the_mean_of_the_first_turn_and_then_follows_by_a_quarter() -> None:
    first = loudness.at_turn(said(Loudness(), 58, 62))
    assert first == Loudness(usual_db=60)
    assert said(first, 50, 48).softer_db == 11
    assert said(first, 70).softer_db == -10
    assert loudness.at_turn(said(first, 68)) == Loudness(usual_db=62)


def test_a_short_interruption_changes_nothing() -> None:
    usual = Loudness(usual_db=60)
    assert said(said(usual, 40, 40), 60).softer_db == 0


def test_frames_without_a_level_do_not_count() -> None:
    assert loudness.at_turn(said(Loudness(usual_db=60), None, None)) == Loudness(usual_db=60)


def outstanding(*levels: int, before: Loudness | None = None) -> tuple[Loudness, list[int]]:
    """The number of frames in a row that stand out, after each frame of 20 ms."""
    s, found = before or Loudness(), []
    for number, level in enumerate(levels):
        s = loudness.frame(s, level, number * 20_000)
        found.append(s.outstanding)
    return s, found


def test_what_is_fourteen_decibels_above_the_background_stands_out() -> None:
    s, found = outstanding(20, 20, 33, 35, 36, 36, 20, 50)
    assert found == [0, 0, 0, 1, 2, 3, 0, 1]
    assert s.first_us == 140_000
    assert outstanding(20, 20, 36, 36)[0].first_us == 40_000


def test_the_softest_sounds_never_do() -> None:
    assert outstanding(-1, -1, 17, 18)[1] == [0, 0, 0, 1]


def test_the_background_falls_at_once_and_rises_slowly() -> None:
    loud_to_soft, _ = outstanding(60, *[20] * 40)
    assert loud_to_soft.background is not None
    assert 20 * 16 <= loud_to_soft.background <= 24 * 16
    risen, _ = outstanding(*[50] * 50, before=outstanding(20)[0])
    assert risen.background == 20 * 16 + 50  # 3 dB in a second


def test_what_stood_out_in_vain_must_be_as_loud_again_for_a_while() -> None:
    learnt = loudness.in_vain(outstanding(20)[0], 50)
    assert outstanding(49, before=learnt)[1] == [0]
    assert outstanding(50, before=learnt)[1] == [1]
    later, _ = outstanding(*[20] * 50, before=learnt)
    assert outstanding(47, before=later)[1] == [1]
    assert outstanding(46, before=later)[1] == [0]


def test_how_far_a_level_is_above_the_background() -> None:
    s, _ = outstanding(20)
    assert (s.above(43), s.above(10), Loudness().above(90)) == (23, -10, 0)


def test_a_voice_is_behind_the_caller_where_it_hardly_stands_out_of_a_quiet_room() -> None:
    quiet, noisy = outstanding(20)[0], outstanding(40)[0]
    assert (quiet.behind(43), quiet.behind(44)) == (True, False)
    assert not noisy.behind(50)
    assert not Loudness().behind(10)


def test_frames_without_a_level_change_nothing() -> None:
    assert loudness.frame(Loudness(), None, 0) == Loudness()
