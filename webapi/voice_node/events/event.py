"""What belongs to a turn, and is told to observers: the base of all events, and how one is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, NamedTuple

from webapi.voice_node.events.audio import US_PER_S

WHERE_KNOWN: Mapping[str, bool] = {"where_known": True}  # metadata of a field that `record` leaves out where it is None


class Turn(NamedTuple):
    """The turn that a value belongs to: one utterance of the caller and the reply to it, or one prompt."""

    trace_id: str  # unique per turn
    number: int  # 0, 1, 2… within the session


@dataclass(frozen=True, slots=True)
class Event:
    """A value that observers get (metrics, log, clients, recordings). `name` is the class's name in snake case."""

    t_us: int
    turn: Turn
    name: ClassVar[str] = "event"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # No zero-argument super() here: dataclass(slots=True) builds the class anew and would lose its cell.
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


def record(event: Event, origin_us: int) -> dict[str, Any]:
    """The event as events.jsonl, the log and the room's clients get it: `event`, `t` (stream seconds), ids, its fields.

    Microsecond fields become seconds since `origin_us` (the session's start) without the `_us`; audio is left out.
    """
    line: dict[str, Any] = {
        "event": event.name,
        "t": seconds(event.t_us - origin_us),
        "turn_index": event.turn.number,
        "trace_id": event.turn.trace_id,
    }
    kind: Any = type(event)
    for name, written, is_time, where_known in _fields(kind):
        value = getattr(event, name)
        if isinstance(value, bytes) or (where_known and value is None):
            continue
        if isinstance(value, Turn):
            line[written] = value.trace_id
        else:
            line[written] = seconds(value - origin_us) if is_time else value
    return line


@cache
def _fields(kind: Any) -> tuple[tuple[str, str, bool, bool], ...]:
    """The fields of a class of events: name, name in its line, whether it is a time, whether None is left out."""
    told = [(field.name, field.metadata == WHERE_KNOWN) for field in fields(kind) if field.name not in ("t_us", "turn")]
    return tuple((name, name.removesuffix("_us"), name.endswith("_us"), known) for name, known in told)


def seconds(us: int) -> float:
    """Microseconds as seconds, rounded to the microsecond so that the same integer always prints the same digits."""
    return round(us / US_PER_S, 6)
