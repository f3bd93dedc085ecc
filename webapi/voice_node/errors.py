"""`UserError`, the one exception whose text is for the user, and helpers for such texts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import TypeAlias

PrintLine: TypeAlias = Callable[[str], None]
"""Prints one line of text, without its line end: to the terminal, to stderr or into a test's list."""


class UserError(Exception):
    """An error that the user can correct. Its text says what happened, where, and what to do: one line a problem.

    `main` prints it without a traceback and ends with exit code 2.
    """


def why_unwritable(error: OSError) -> str:
    """Return the reason why a folder or a file in it can't be written, without paths and error numbers."""
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return "that is a file, and a folder is needed"
    return error.strerror or str(error)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean …?` with the most similar of the allowed words, or "" where none is similar."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
