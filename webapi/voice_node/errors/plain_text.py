"""Texts of others (what was said, names, errors) for people: of bounded length, and no command to a terminal."""

from __future__ import annotations

import unicodedata

ELLIPSIS = "…"


def one_line(text: str) -> str:
    """Return the text in one line, without characters that a terminal obeys: escape codes, changes of direction."""
    return " ".join("".join(map(_printable, text)).split())


def shortened(text: str, most: int) -> str:
    """Return at most so many characters of a text, the last of them an ellipsis where it is cut."""
    return text if len(text) <= max(0, most) else text[: max(0, most - 1)] + ELLIPSIS * (most > 0)


def _printable(character: str) -> str:
    if character.isspace():
        return " "
    if character.isprintable():
        return character
    return "" if unicodedata.category(character) == "Cf" else "?"  # Cf: joiners, and marks of direction
