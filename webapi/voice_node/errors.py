"""The one exception that is meant for people, and what helps them to find the right word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend. Its text says what happened, where, and what to do; several problems, several lines.

    `main` prints it without a traceback and ends with exit code 2.
    """


def why_unwritable(error: OSError) -> str:
    """What stands in the way of a folder, in plain words."""
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return "that is a file, and a folder is needed"
    return error.strerror or str(error)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """` Did you mean …?`, or nothing."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
