"""Whether words are only a backchannel: what a listener says so that the other goes on. From backchannels.json."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

BETWEEN = re.compile(r"[^\w'-]+")


def only_backchannels(text: str, language: str = "") -> bool:
    """Whether all of `text` is made of backchannels, in any order: "Oh, right. Yeah." False for a text without words.

    `language`: a key of backchannels.json ("en"); without one, or with another, the words of all languages count.
    """
    words = _words(text)
    return bool(words) and _made_of(tuple(words), _phrases(language if language in _table() else ""))


def _made_of(words: tuple[str, ...], phrases: frozenset[tuple[str, ...]]) -> bool:
    """Whether the words can be cut into the phrases, the longest first."""
    at = 0
    while at < len(words):
        fits = [len(phrase) for phrase in phrases if words[at : at + len(phrase)] == phrase]
        if not fits:
            return False
        at += max(fits)
    return True


def _words(text: str) -> list[str]:
    return [word for word in BETWEEN.split(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")) if word]


@lru_cache(maxsize=1)
def _table() -> dict[str, list[str]]:
    table: dict[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return table


@lru_cache(maxsize=16)
def _phrases(language: str) -> frozenset[tuple[str, ...]]:
    lists = [_table()[language]] if language else list(_table().values())
    return frozenset(tuple(_words(phrase)) for phrases in lists for phrase in phrases)
