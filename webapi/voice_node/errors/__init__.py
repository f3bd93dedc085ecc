"""What users are told about their mistakes: the one exception whose text is for them, and what helps to correct it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import TypeAlias

PrintLine: TypeAlias = Callable[[str], None]
"""Prints one line of text, without its line end: to the terminal, to stderr or into a test's list."""


class UserError(Exception):
    """A mistake that the user can correct. The text says what happened, where, and what to do; a line for each mistake.

    `main` prints the text without a traceback and ends with exit code 2.
    """


def why_unwritable(error: OSError) -> str:
    """Why a folder can't be made or written, in plain words."""
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return "that is a file, and a folder is needed"
    return error.strerror or str(error)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """` Did you mean …?` with the allowed word that is most like `word`; "" where none is like it."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
