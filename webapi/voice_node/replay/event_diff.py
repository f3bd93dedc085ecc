"""Where two lists of events part: pure, for replays of one call by different graphs, settings or orchestrators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

Line = Mapping[str, Any]  # of events.jsonl


def first_difference(one: Sequence[Line], other: Sequence[Line], tolerance_s: float = 0.0) -> int | None:
    """The position of the first event in which they differ by more than the tolerance in their times; None: nowhere."""
    for at, (a, b) in enumerate(zip_longest(one, other)):
        if a is None or b is None or differing(a, b, tolerance_s):
            return at
    return None


def differing(a: Line, b: Line, tolerance_s: float = 0.0) -> list[str]:
    """The fields in which two events differ. Floats are seconds, and `_ms` milliseconds: those have the tolerance.

    With one, how full the queue was at a moment makes no difference: a matter of its phase, not of what was heard.
    """
    phase = {("playback_ended", "flushed_ms"), ("reply_ended", "t")} if tolerance_s else set()
    return [
        name
        for name in {**a, **b}
        if (a.get("event"), name) not in phase and not _alike(name, a.get(name), b.get(name), tolerance_s)
    ]


def _alike(name: str, a: Any, b: Any, tolerance_s: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= tolerance_s
    if name.endswith("_ms") and isinstance(a, int) and isinstance(b, int):
        return abs(a - b) <= tolerance_s * 1000
    return bool(a == b)


def told(one: Sequence[Line], other: Sequence[Line], at: int, tolerance_s: float = 0.0) -> tuple[str, str]:
    """The event at `at` of each, as people read it; where both are the same event, with what differs in it."""
    a, b = (lines[at] if at < len(lines) else None for lines in (one, other))
    fields: list[str] = []
    if a and b and (a["event"], a["turn_index"]) == (b["event"], b["turn_index"]):
        fields = [name for name in differing(a, b, tolerance_s) if name not in ("t", "parted")]
    return _told(a, fields), _told(b, fields)


def _told(line: Line | None, fields: Sequence[str]) -> str:
    if line is None:
        return "nothing more"
    said = f"{line['t']:9.3f}  {line['event']} of turn {line['turn_index']}"
    return ", ".join([said, *(f"{name} {line.get(name)}" for name in fields)])
