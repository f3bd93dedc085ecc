"""Which of a reply's words were heard: from the words, where in the audio they begin, and how much was played. Pure.

    audio      0--------1200--------2600--------- ms
    words      Of course.  For how      many people?
    played     ^^^^^^^^^^^^^^^^^^^                      1900 ms: "Of course. For"

The words between two stamps are taken to be spoken evenly. The last ones end with the audio; where the reply was cut
before all of its audio was made, their length follows from the pace of the words before them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

# Characters a second, spaces included: 150 words a minute, the middle of conversational English (140 to 160; National
# Center for Voice and Speech), at 6 characters a word.
USUAL_PACE = 15.0
# A run without spaces is a word; of scripts that are written without spaces, each character is.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


class Piece(NamedTuple):
    """Words of a reply that were told together."""

    at_ms: int  # where in the reply's audio they begin
    text: str


def heard_words(
    pieces: Sequence[Piece], made_ms: int, heard_ms: int, complete: bool, usual_pace: float = USUAL_PACE
) -> str:
    """Return the words that were heard whole.

    `made_ms` of audio were made, `heard_ms` of it played. `complete`: no more audio was to come. `usual_pace`: the
    characters a second of this voice, where this reply does not tell.
    """
    heard = []
    pace = pace_of(pieces) or usual_pace
    ends = [*(piece.at_ms for piece in pieces[1:]), made_ms]
    for at, (piece, end_ms) in enumerate(zip(pieces, ends, strict=True)):
        length_ms = end_ms - piece.at_ms
        if at == len(pieces) - 1 and not complete:
            length_ms = max(length_ms, round(len(piece.text) / pace * 1000))
        heard.append(_first_words(piece.text, heard_ms - piece.at_ms, length_ms))
    return " ".join(text for text in heard if text)


def pace_of(pieces: Sequence[Piece]) -> float:
    """Return the characters a second of those pieces whose end is known; 0 where there are none."""
    known = itertools.pairwise(pieces)
    spoken = [(len(piece.text), after.at_ms - piece.at_ms) for piece, after in known if after.at_ms > piece.at_ms]
    ms = sum(ms for _, ms in spoken)
    return sum(characters for characters, _ in spoken) / ms * 1000 if ms else 0.0


def _first_words(text: str, heard_ms: int, length_ms: int) -> str:
    """Return the words that end within `heard_ms`, where the text takes `length_ms`."""
    text = text.strip()
    if heard_ms <= 0:
        return ""
    if heard_ms >= length_ms:
        return text
    heard = len(text) * heard_ms / length_ms
    ends = [word.end() for word in WORD.finditer(text) if word.end() <= heard]
    return text[: ends[-1]] if ends else ""
