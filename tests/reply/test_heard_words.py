"""Which words were heard: words with their places in the audio, and how much was played."""

from __future__ import annotations

import pytest

from webapi.voice_node.reply.heard_words import Piece, heard_words

TWO = [Piece(0, "Of course."), Piece(1200, "For how many people?")]  # made: 2600 ms


@pytest.mark.parametrize(
    ("heard_ms", "expected"),
    [
        (0, ""),
        (240, "Of"),
        (230, ""),  # not whole
        (1199, "Of"),
        (1200, "Of course."),
        (1410, "Of course. For"),
        (2599, "Of course. For how many"),
        (2600, "Of course. For how many people?"),
        (9999, "Of course. For how many people?"),
    ],
)
def test_words_count_when_they_were_played_whole(heard_ms: int, expected: str) -> None:
    assert heard_words(TWO, 2600, heard_ms, complete=True) == expected


def test_of_audio_that_was_not_all_made_the_rest_follows_the_pace_of_the_words_before() -> None:
    pieces = [Piece(0, "x" * 20), Piece(1000, "one two three four five six")]  # 20 characters a second
    assert heard_words(pieces, 1500, 1500, complete=False) == f"{'x' * 20} one two"
    assert heard_words(pieces, 1500, 1500, complete=True) == f"{'x' * 20} one two three four five six"


def test_without_words_before_it_follows_the_usual_pace() -> None:
    only = [Piece(0, "one two three four five six")]
    assert heard_words(only, 700, 700, complete=False) == "one two"  # 10 of 27 characters at 15 a second
    assert heard_words(only, 700, 700, complete=False, usual_pace=27.0) == "one two three four"


def test_words_that_are_told_before_the_audio_of_the_reply_ends_count_to_its_end() -> None:
    assert heard_words([Piece(0, "all at once"), Piece(0, "and more")], 1000, 500, complete=True) == "all at once and"


@pytest.mark.parametrize(("text", "expected"), [("你好世界", "你好"), ("  spaces   stay ", "spaces"), ("", "")])
def test_every_script_is_cut_at_a_word(text: str, expected: str) -> None:
    assert heard_words([Piece(0, text)], 1000, 600, complete=True) == expected
