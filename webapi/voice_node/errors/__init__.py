"""What users are told about their mistakes: the one exception whose text is for them, and what helps to correct it."""

from __future__ import annotations

import difflib
import re
from asyncio import CancelledError
from collections.abc import Callable, Iterable
from typing import TypeAlias

from webapi.voice_node.errors.hidden_values import without_hidden
from webapi.voice_node.errors.plain_text import shortened

PrintLine: TypeAlias = Callable[[str], None]
"""Prints one line of text, without its line end: to the terminal, to stderr or into a test's list."""


class UserError(Exception):
    """A mistake that the user can correct. The text says what happened, where, and what to do; a line for each mistake.

    `main` prints the text without a traceback and ends with exit code 2. `needs`: where nothing is written wrong, and
    only this machine lacks something, what that is: variables that are not set, commands that install packages.
    """

    def __init__(self, text: str = "", needs: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.needs = tuple(dict.fromkeys(needs))


ADDRESS = re.compile(r"(?<=\b0x)[0-9a-fA-F]{6,}\b|(?<=\bid=')\d{6,}(?=')")  # the second as in the repr of a Mock
INSIDE = "cancelled from inside"  # by code that the node calls, and not by the node
LEAST = 4  # characters of a word that is completed
LONGEST = 500  # characters of an error that is described


def describe(error: BaseException) -> str:
    """`TypeError: what it says`, for an event: without hidden values (see hidden_values.py), and without memory
    addresses, so that a replay writes the same bytes.
    """
    try:
        text = f"{type(error).__name__}: {str(error) or INSIDE if isinstance(error, CancelledError) else error}"
    except Exception:  # its own __str__ is broken
        text = type(error).__name__
    text = ADDRESS.sub("…", without_hidden(text))
    return shortened(text, LONGEST)


def as_exception(error: BaseException) -> Exception:
    """The error, or an Exception that names it.

    Code of others raises CancelledError, SystemExit or classes of its own that are no Exception. A future carries no
    StopIteration, and RxPY only Exceptions.
    """
    if isinstance(error, Exception) and not isinstance(error, (StopIteration, StopAsyncIteration)):
        return error
    return RuntimeError(describe(error))


def why_unwritable(error: OSError) -> str:
    """Why a folder can't be made or written, in plain words."""
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return "that is a file, and a folder is needed"
    return error.strerror or str(error)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """` Did you mean …?` with the allowed word that is most like `word`; "" where none is like it.

    Where `word` is like the beginning of longer ones, these are named.
    """
    words = list(allowed)
    longer = [each for each in words if each.startswith(word)][:3] if len(word) >= LEAST else []
    close = longer or difflib.get_close_matches(word, words, n=1) or _beginning_like(word, words)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def _beginning_like(word: str, words: Iterable[str]) -> list[str]:
    """The words that begin with what is most like `word`, up to 3 of them."""
    begins: dict[str, list[str]] = {}
    for each in words:
        begins.setdefault(each[: len(word)], []).append(each)
    best = difflib.get_close_matches(word, list(begins), n=1, cutoff=0.8) if len(word) >= LEAST else []
    return begins[best[0]][:3] if best else []
