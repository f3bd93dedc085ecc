"""Values that no text for people may have in it: secrets that a graph takes from the environment, such as API keys.

They are kept for the whole process, as the environment is: an orchestrator may put a key into any of its errors.
"""

from __future__ import annotations

import json

LEAST = 6  # characters of a value that is hidden in every text: a shorter one would be found inside of words
_HIDDEN: dict[str, str] = {}  # what stands in its place, by each way in which the value may be written


def hide(variables: dict[str, str]) -> None:
    """From now on, `without_hidden` replaces these values, given by the names of their variables."""
    _HIDDEN.update(_spellings({name: value for name, value in variables.items() if len(value) >= LEAST}))


def without_hidden(text: str, variables: dict[str, str] | None = None) -> str:
    """The text with `${VARIABLE}` in the place of each hidden value, and of those of `variables`, however short."""
    hidden = {**_HIDDEN, **_spellings(variables or {})}
    for value in sorted(hidden, key=len, reverse=True):  # a longer one may have a shorter one in it
        if value in text:
            text = text.replace(value, hidden[value])
    return text


def _spellings(variables: dict[str, str]) -> dict[str, str]:
    """The values as they are, and as `repr` and JSON write them."""
    found = {}
    for name, value in variables.items():
        for spelled in (value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            if spelled:
                found[spelled] = f"${{{name}}}"
    return found
