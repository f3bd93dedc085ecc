"""Lines folded at the terminal's width, between words. Files and pipes get every line as it is."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO

MIN_COLUMNS = 20


def terminal_columns(stream: TextIO) -> int | None:
    """Return the width of the terminal that `stream` writes to; None where that is no terminal."""
    if not stream.isatty():
        return None
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return max(MIN_COLUMNS, int(asked))
    try:
        return max(MIN_COLUMNS, os.get_terminal_size(stream.fileno()).columns or 80)
    except (OSError, ValueError):
        return 80


def folded(text: str, columns: int | None, indent: int = 4) -> str:
    """Return the text with each line that is longer than `columns` folded at spaces; all but its first part indented.

    A word that is longer is kept whole, so that a path can be copied. `columns` None: nothing is folded.
    """
    if columns is None:
        return text
    return "\n".join(line if len(line) <= columns else _fold(line, columns, indent) for line in text.split("\n"))


def _fold(line: str, columns: int, indent: int) -> str:
    return textwrap.fill(line, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
