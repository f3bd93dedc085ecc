"""The words of a replay: what the caller said in each turn, and what of the bot's words was heard. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from webapi.voice_node.errors.plain_text import ELLIPSIS, one_line
from webapi.voice_node.events import Side

Line: TypeAlias = Mapping[str, Any]  # of events.jsonl
MOST_PER_COLUMN = 4  # characters: combining ones take no column, and a text may have any number of them


@dataclass(frozen=True)
class TurnWords:
    """What one side said in a turn. Each text is one line that can be printed."""

    turn: int
    trace_id: str
    side: Side
    heard: str  # of the caller: all of it
    unheard: str = ""  # the rest of the bot's words, which nobody heard
    cut: bool = False  # the reply ended before it was heard whole


def words_of(events: Sequence[Line]) -> list[TurnWords]:
    """Return what was said, in the order in which it was told; [] where no orchestrator tells words."""
    told: dict[tuple[str, Side], list[Line]] = {}
    for event in events:
        if event["event"] == "transcript" and event.get("final", True):
            told.setdefault((event["trace_id"], event["speaker"]), []).append(event)
    if not told:
        return []
    heard = {event["trace_id"]: str(event["text"]) for event in events if event["event"] == "heard_text"}
    whole = {event["trace_id"]: bool(event["completed"]) for event in events if event["event"] == "playback_ended"}
    found = []
    for (trace_id, side), pieces in told.items():
        text = one_line(" ".join(str(piece["text"]) for piece in pieces))
        known = text if side == "caller" else one_line(heard.get(trace_id, text))
        rest = text[len(known) :].strip() if text.startswith(known) else ""
        cut = side == "bot" and trace_id in heard and not whole.get(trace_id, True)
        if text:
            found.append(TurnWords(pieces[0]["turn_index"], trace_id, side, known, rest, cut))
    return found


def fitted(text: str, columns: int) -> str:
    """Return as much of the line as fits into so many columns of a terminal, with an ellipsis where it is cut."""
    if columns_of(text) <= columns and len(text) <= columns * MOST_PER_COLUMN:
        return text
    kept, taken = "", 0
    for character in text[: columns * MOST_PER_COLUMN]:
        taken += columns_of(character)
        if taken > columns - 1:
            break
        kept += character
    return kept.rstrip() + ELLIPSIS if columns > 0 else ""


def fitted_end(text: str, columns: int) -> str:
    """Return as much of the end of the line as fits, with an ellipsis in front of it."""
    return fitted(text[::-1], columns)[::-1]


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a line takes: wide characters (Chinese, Japanese, Korean, emoji) two."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
