"""Texts of others (what was said, names) for a terminal: nothing in them is a command."""

from __future__ import annotations

import unicodedata


def one_line(text: str) -> str:
    """Return the text in one line, without characters that a terminal obeys: escape codes, changes of direction."""
    return " ".join("".join(map(_printable, text)).split())


def _printable(character: str) -> str:
    if character.isspace():
        return " "
    if character.isprintable():
        return character
    return "" if unicodedata.category(character) == "Cf" else "?"  # Cf: joiners, and marks of direction
