"""The word error rate of the tests that speak and listen."""

from __future__ import annotations

import pytest

from tests.word_errors import error_rate, words, wrong


def test_the_count_of_wrong_words_is_an_edit_distance() -> None:
    assert [wrong(["a", "b", "c"], each.split()) for each in ("a b c", "a c", "a x c d", "")] == [0, 1, 2, 3]


def test_numbers_and_letter_case_make_no_difference() -> None:
    assert words("At 8 o'clock, for Miller. 30?") == ["at", "eight", "o'clock", "for", "miller", "30"]


def test_the_rate_is_over_the_words_that_were_said() -> None:
    assert error_rate(["One two.", "Three four."], ["one 2", "three"]) == pytest.approx(0.25)
