"""The keys of their phone that a caller presses (DTMF)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, cast, get_args

from webapi.voice_node.events.event import Event

Digit: TypeAlias = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#", "A", "B", "C", "D"]
DIGITS: tuple[str, ...] = get_args(Digit)


class KeyPressed(NamedTuple):
    """The caller has pressed a key."""

    t_us: int  # when the node was told
    digit: Digit


@dataclass(frozen=True, slots=True)
class Dtmf(Event):
    """The caller has pressed a key. `turn` is the latest that has begun then, or the first one to come."""

    digit: Digit  # may be one of a PIN or of a card's number: it is treated as words are


def as_digit(text: str) -> Digit | None:
    """Return the key that a text names; None for what is no key of a phone."""
    return cast(Digit, text.upper()) if text.upper() in DIGITS else None
