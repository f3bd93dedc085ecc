"""How many words of a text were recognised wrongly."""

from __future__ import annotations

import re

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def words(text: str) -> list[str]:
    """The words in lower case. Numbers up to twelve are words too, as a recogniser may write either."""
    found = re.findall(r"[a-z']+|\d+", text.lower())
    return [NUMBERS[int(word)] if word.isdigit() and int(word) < len(NUMBERS) else word for word in found]


def wrong(said: list[str], heard: list[str]) -> int:
    """How many words were left out, put in or replaced: the edit distance."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        before, row = row, [number]
        for at, other in enumerate(heard, 1):
            row.append(min(row[-1] + 1, before[at] + 1, before[at - 1] + (word != other)))
    return row[-1]


def error_rate(said: list[str], heard: list[str]) -> float:
    """The word error rate: wrong words, over all that were said. The lists have a text for each utterance."""
    pairs = [(words(one), words(other)) for one, other in zip(said, heard, strict=True)]
    return sum(wrong(one, other) for one, other in pairs) / sum(len(one) for one, _ in pairs)
