"""Words that a listener says so that the other goes on."""

from __future__ import annotations

import pytest

from webapi.voice_node.hearing.backchannels import only_backchannels


@pytest.mark.parametrize(
    "text",
    [
        "Mm-hmm.",
        "Oh, right.",
        "Yeah, yeah, okay",
        "I see",
        "all right",
        "Ach so, ja",
        "D’accord",
        "Угу",
        "はい",
        "Uh-huh",
    ],
)
def test_what_is_one(text: str) -> None:
    assert only_backchannels(text)


@pytest.mark.parametrize(
    "text", ["", "...", "Stop", "No", "Yeah well just", "I", "right there", "Okay but", "Ja, aber"]
)
def test_what_is_none(text: str) -> None:
    assert not only_backchannels(text, "en")


def test_of_one_language_only_its_own_count() -> None:
    assert only_backchannels("genau", "de")
    assert not only_backchannels("genau", "en")
    assert only_backchannels("no tak", "pl")
    assert only_backchannels("genau", "another")  # whose words are not known


@pytest.mark.parametrize("text", ["no", "nein", "non", "stop", "wait", "halt", "basta", "нет", "いいえ"])
def test_no_language_has_a_word_that_stops_the_bot_in_another(text: str) -> None:
    assert not only_backchannels(text)
