"""Which of the sentences that callers said are turns of the bot's. Pure.

They are compared one by one: a quotient of turns and of the time that has passed is wrong by those at both ends of it.
All times are monotonic seconds, one clock for all processes of a machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

LATE_S = 0.5  # after the end of a sentence: what is heard of it first may come so late


class Sentence(NamedTuple):
    """What a caller said."""

    room: str
    began_s: float
    ended_s: float


class Turn(NamedTuple):
    """A turn that was answered."""

    room: str
    began_s: float  # the first voiced frame


def turns_of(lines: Iterable[dict[str, Any]]) -> list[Turn]:
    """Of lines of metrics.jsonl those that were answered: the bot was heard."""
    return [
        Turn(line["room"], line["t1_first_user_audio"])
        for line in lines
        if line["t1_first_user_audio"] is not None and line["t6_first_bot_audio"] is not None
    ]


def sentences(
    said: Iterable[tuple[str, float, float]], rooms: Iterable[str], from_s: float, to_s: float
) -> list[Sentence]:
    """What was said as far as it ended between these times. Raises RuntimeError for a room in which that is nothing."""
    ended = [each for each in map(Sentence._make, said) if from_s <= each.ended_s < to_s]
    silent = sorted({*rooms} - {each.room for each in ended})
    if silent:
        raise RuntimeError(f"callers said nothing, because no bot was there in time: {', '.join(silent)}")
    return ended


def odd(said: Iterable[Sentence], turns: Iterable[Turn]) -> list[Sentence]:
    """The sentences that are not exactly one turn: missed, one turn with the one before, or several turns."""
    heard: dict[str, list[float]] = {}
    for turn in turns:
        heard.setdefault(turn.room, []).append(turn.began_s)
    return [
        each
        for each in said
        if sum(each.began_s <= began_s < each.ended_s + LATE_S for began_s in heard.get(each.room, [])) != 1
    ]


def share(said: list[Sentence], turns: Iterable[Turn]) -> float:
    """Of the sentences, how many are a turn; 1 where nobody was to say anything."""
    return 1 - len(odd(said, turns)) / len(said) if said else 1.0
