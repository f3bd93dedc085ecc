"""Cuts a text into pieces that are spoken one after another."""

from __future__ import annotations

import re
import unicodedata

MARKUP = re.compile(r"\[\[|\]\]|[*_`#|~]")
SENTENCE = re.compile(r"(?<=[.!?…])\s+(?=\S)")
CLAUSE = re.compile(r"(?<=[,;:])\s+(?=\S)")
LONG = 60  # characters of a first piece, about four seconds; a longer one is cut at a comma, so that it sounds earlier
SHORT = 15  # characters of a clause; a shorter one would sound torn off
LONGEST = 400  # characters of any piece; a longer one is cut between words


def pieces(text: str) -> list[str]:
    """The sentences of a text, of which each has a letter or a digit. The first clause of a long first one is its own.

    What a voice can't say or takes for markup is removed: control characters, symbols, `[[`, `*`.
    """
    plain = " ".join(MARKUP.sub(" ", "".join(map(_sayable, text))).split())
    found = [each for sentence in SENTENCE.split(plain) for each in _cut(sentence)]
    spoken = [each for each in found if any(letter.isalnum() for letter in each)]
    return [*_first_clause(spoken[0]), *spoken[1:]] if spoken else []


def _sayable(letter: str) -> str:
    """The character; of a digit of any script 0 to 9; a space for a control character or a picture."""
    if letter.isdigit():
        return str(unicodedata.digit(letter))
    return " " if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "So", "Zl", "Zp") else letter


def _first_clause(sentence: str) -> list[str]:
    if len(sentence) <= LONG:
        return [sentence]
    for comma in CLAUSE.finditer(sentence):
        if comma.start() >= SHORT and len(sentence) - comma.end() >= SHORT:
            return [sentence[: comma.start()], sentence[comma.end() :]]
    return [sentence]


def _cut(sentence: str) -> list[str]:
    """The sentence in pieces of at most LONGEST characters."""
    cut = []
    while len(sentence) > LONGEST:
        at = sentence.rfind(" ", 1, LONGEST) if " " in sentence[1:LONGEST] else LONGEST
        cut.append(sentence[:at])
        sentence = sentence[at:].strip()
    return [*cut, sentence]
