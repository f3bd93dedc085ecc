"""A text is cut into pieces that a voice says one after another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.voice_node.converse.offline.pieces import LONGEST, pieces


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes.", ["Yes."]),
        ("Good evening. A table? Gladly!", ["Good evening.", "A table?", "Gladly!"]),
        ("At 7.30 in St. Ives", ["At 7.30 in St.", "Ives"]),  # an abbreviation costs a pause, no word
        ("two\nlines", ["two lines"]),
        ("", []),
        ("… ! 🙂", []),
        ("**Yes**, [[x]] `ok`\x00", ["Yes , x ok"]),
        ("٣ ① a\u2028b", ["3 1 a b"]),
        (
            "So that is a table for four people on Friday, at half past seven in the evening. Right?",
            ["So that is a table for four people on Friday,", "at half past seven in the evening.", "Right?"],
        ),
        ("Well, that is a table for four people on Friday at half past seven in the evening.", 1),
    ],
)
def test_pieces(text: str, expected: list[str] | int) -> None:
    found = pieces(text)
    assert (len(found) if isinstance(expected, int) else found) == expected


@given(st.text())
def test_every_piece_can_be_given_as_one_line(text: str) -> None:
    for piece in pieces(text):
        assert piece == piece.strip() != ""
        assert len(piece) <= LONGEST
        assert len(piece.splitlines()) == 1
        assert any(letter.isalnum() for letter in piece)
        assert "[[" not in piece


def test_a_long_text_without_a_stop_is_cut_between_words() -> None:
    words = ["word"] * 500
    found = pieces(" ".join(words))
    assert len(found) > 5
    assert " ".join(found).split() == words
