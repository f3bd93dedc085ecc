"""Sentences: where streamed text may be cut, and that nothing is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapi.voice_node.converse.sentences import FIRST_MOST, MOST, Sentences


def cut(*pieces: str) -> list[str]:
    sentences = Sentences()
    return [each for piece in pieces for each in sentences.push(piece)] + sentences.flush()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes. No! Why? Done.", ["Yes.", "No!", "Why?", "Done."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("It costs 3.14 euros. Fine.", ["It costs 3.14 euros.", "Fine."]),
        ("Ask Dr. Miller. He knows.", ["Ask Dr. Miller.", "He knows."]),
        ("J. S. Bach wrote it. Indeed.", ["J. S. Bach wrote it.", "Indeed."]),
        ("Das ist z.B. Wasser. Gut.", ["Das ist z.B. Wasser.", "Gut."]),
        ("1. Flour\n2. Milk\n", ["1. Flour", "2. Milk"]),
        ("Well... maybe not. Ok.", ["Well... maybe not.", "Ok."]),
        ("Wait… What? Now.", ["Wait…", "What?", "Now."]),
        ("See example.com now. Bye.", ["See example.com now.", "Bye."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("好。再见！「走吧。」行", ["好。", "再见！", "「走吧。」", "行"]),
        ("One\n\n***\n\nTwo", ["One", "Two"]),
        ("  spaced \t out.  Then", ["spaced out.", "Then"]),
        ("", []),
        ("... !", []),
    ],
)
def test_text_is_cut_where_a_sentence_ends(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_a_sentence_is_given_as_soon_as_its_end_is_known() -> None:
    sentences = Sentences()
    assert sentences.push("Hello there") == []
    assert sentences.push(". ") == []  # a small letter could follow
    assert sentences.push("H") == ["Hello there."]
    assert sentences.push("ow? ") == ["How?"]  # after this no small letter matters


def test_the_first_sentence_may_end_at_a_comma_so_that_it_is_heard_soon() -> None:
    text = "Let me have a look, it takes a moment. Let me have a look, it takes a moment."
    assert cut(text) == [
        "Let me have a look,",
        "it takes a moment.",
        "Let me have a look, it takes a moment.",
    ]
    assert cut("Yes, of course. Good.") == ["Yes, of course.", "Good."]  # too short for that


def test_a_long_sentence_is_cut_at_a_comma_or_else_at_a_space() -> None:
    long = "Hello. " + "Word " * 30 + "end, " + "word " * 40
    first, *rest = cut(long)
    assert first == "Hello."
    assert rest[0] == "Word " * 30 + "end,"
    assert all(len(each) <= MOST for each in rest)


def test_a_word_without_end_is_cut_too() -> None:
    assert [len(each) for each in cut("a" * (FIRST_MOST + MOST + 10))] == [FIRST_MOST, MOST, 10]


TEXT = st.text(st.sampled_from("aB3 .,!?…\n。「」\"-'"), max_size=400)


@given(TEXT, st.lists(st.integers(0, 400), max_size=6))
def test_how_the_text_comes_makes_no_difference(text: str, places: list[int]) -> None:
    at = sorted({0, len(text), *(min(each, len(text)) for each in places)})
    assert cut(*(text[a:b] for a, b in pairwise(at))) == cut(text)


@given(TEXT)
def test_no_letter_or_digit_is_lost_and_none_is_moved(text: str) -> None:
    def spoken(each: str) -> str:
        return "".join(filter(str.isalnum, each))

    assert spoken("".join(cut(text))) == spoken(text)
    assert all(len(each) <= MOST for each in cut(text))
