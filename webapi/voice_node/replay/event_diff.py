"""Compares the events of two replays: pure, for replays of one recording by different graphs or settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeAlias

from webapi.voice_node.errors.plain_text import one_line
from webapi.voice_node.events import MARGINS

Line: TypeAlias = Mapping[str, Any]  # of events.jsonl


def first_difference(one: Sequence[Line], other: Sequence[Line], tolerance_s: float = 0.0) -> int | None:
    """Return the position of the first event that differs; None where all are the same.

    Two times are the same where they differ by no more than `tolerance_s`.
    """
    for at, (a, b) in enumerate(zip_longest(one, other)):
        if a is None or b is None or differing_fields(a, b, tolerance_s):
            return at
    return None


def differing_fields(a: Line, b: Line, tolerance_s: float = 0.0) -> list[str]:
    """Return the names of the fields in which two events differ.

    The tolerance applies to floats, which are seconds, and to integers of a name in `_ms`. With a tolerance, how full
    the queue was at one moment is no difference: that depends on the phase of the chunks, and is not audible. How
    narrow a decision was is none either.
    """
    phase = {("playback_ended", "flushed_ms"), ("reply_ended", "t")} if tolerance_s else set()
    return [
        name
        for name in {**a, **b}
        if name not in MARGINS
        and (a.get("event"), name) not in phase
        and not _alike(name, a.get(name), b.get(name), tolerance_s)
    ]


def _alike(name: str, a: Any, b: Any, tolerance_s: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= tolerance_s
    if name.endswith("_ms") and isinstance(a, int) and isinstance(b, int):
        return abs(a - b) <= tolerance_s * 1000
    return bool(a == b)


def event_texts(one: Sequence[Line], other: Sequence[Line], at: int, tolerance_s: float = 0.0) -> tuple[str, str]:
    """Return the event at position `at` of each, as a line for people; for the same event, with what differs."""
    a, b = (lines[at] if at < len(lines) else None for lines in (one, other))
    fields: list[str] = []
    if a and b and (a["event"], a["turn_index"]) == (b["event"], b["turn_index"]):
        fields = [name for name in differing_fields(a, b, tolerance_s) if name not in ("t", "parted")]
    return _event_text(a, fields), _event_text(b, fields)


def _event_text(line: Line | None, fields: Sequence[str]) -> str:
    if line is None:
        return "nothing more"
    text = f"{line['t']:9.3f}  {line['event']} of turn {line['turn_index']}"
    return ", ".join([text, *(f"{name} {one_line(str(line.get(name)))}" for name in fields)])
