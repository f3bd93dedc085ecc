"""Types of options that several measurements have."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path


def whole_number(text: str) -> int:
    """A whole number from 1 on, for argparse: a measurement of nothing would meet every goal, or divide by zero."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


def out_folder(text: str) -> Path:
    """A folder to write to, for argparse: it is made here, so that a wrong one is told before the measurement."""
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentTypeError(f"{text}: {error.strerror}") from None
    return folder
