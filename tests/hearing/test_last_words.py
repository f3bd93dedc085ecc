"""The last words: open sentences, digits that still come, whole sentences; in eight languages."""

from __future__ import annotations

import pytest

from webapi.voice_node.hearing.last_words import LISTING, OPEN, OPEN_WORDS, SURE, UNKNOWN, WHOLE, done


@pytest.mark.parametrize(
    ("words", "language", "probability"),
    [
        ("", "en", UNKNOWN),
        ("  ", "en", UNKNOWN),
        ("I would like to book a table for", "en", OPEN),
        ("I would like to book a table for.", "en", OPEN),  # recognisers put a full stop behind everything
        ("I would like, um", "en", OPEN),
        ("so I thought that I...", "en", OPEN),
        ("well,", "en", OPEN),
        ("a table for four", "en", WHOLE),
        ("A table for four, please.", "en", SURE),
        ("Can you turn it on?", "en", SURE),
        ("turn it on", "en", WHOLE),
        ("Yes", "en", SURE),
        ("no.", "en", SURE),
        ("my number is five five five", "en", LISTING),
        ("My number is 555.", "en", LISTING),
        ("my number is 0171 5550", "en", SURE - 0.15),
        ("555-0123", "en", WHOLE),
        ("room 12", "en", WHOLE),
        ("ich möchte einen Tisch für", "de", OPEN),
        ("ich komme mit", "de", WHOLE),
        ("quiero una mesa para", "es", OPEN),
        ("je voudrais une table pour", "fr", OPEN),
        ("vorrei un tavolo per", "it", OPEN),
        ("я хочу столик на", "ru", OPEN),
        ("queria uma mesa para", "pt", OPEN),
        ("ik wil een tafel voor", "nl", OPEN),
        ("ik wil een tafel voor", "", OPEN),  # any language
        ("ik wil een tafel voor", "en", WHOLE),
        ("mein Geburtstag ist null drei null", "de", LISTING),
    ],
)
def test_what_the_last_words_tell(words: str, language: str, probability: float) -> None:
    assert done(words, "", language) == pytest.approx(probability)


@pytest.mark.parametrize(
    ("words", "probability"),
    [
        ("five", LISTING),
        ("it is 12", LISTING),
        ("555 0123", WHOLE),
        ("555 0123.", SURE),
        ("I do not know.", SURE),
        ("yes", SURE),
    ],
)
def test_where_digits_are_expected_a_few_of_them_are_not_all(words: str, probability: float) -> None:
    assert done(words, "digits", "en") == probability


@pytest.mark.parametrize(
    ("words", "probability"),
    [
        ("anna", LISTING),
        ("anna at", LISTING),
        ("anna at example", LISTING),
        ("anna at example dot com", SURE),
        ("anna@example.com", SURE),
        ("It is anna@example.", LISTING),
        ("com", LISTING),
        ("no", SURE),
    ],
)
def test_where_an_address_is_expected_it_needs_its_end(words: str, probability: float) -> None:
    assert done(words, "email", "en") == probability


@pytest.mark.parametrize("language", OPEN_WORDS)
def test_every_word_of_a_table_can_be_found(language: str) -> None:
    for word in OPEN_WORDS[language]:
        assert done(f"x {word}", "", language) == OPEN, word


@pytest.mark.parametrize("language", ["", "en", "pt", "es"])
@pytest.mark.parametrize("text", ["no", "No.", "yes"])
def test_a_short_answer_is_whole_also_where_it_opens_something_in_another_language(text: str, language: str) -> None:
    assert done(text, language=language) == SURE


def test_without_a_language_an_answer_at_the_end_opens_nothing() -> None:
    assert done("I said no.") == SURE
    assert done("I said no", language="pt") == OPEN


def test_a_chinese_comma_breaks_off() -> None:
    assert done("我想订一张，") == OPEN
