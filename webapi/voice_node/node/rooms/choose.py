"""Decides which rooms are joined next: one pure function."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from webapi.voice_node.room.pause import longer_pause
from webapi.voice_node.room.room_list import OpenRoom


@dataclass(frozen=True, slots=True)
class Failed:
    """The calls that failed in a row in one room, whose sid it was. No pause: none has, and the room waits."""

    sid: str
    pause_s: float
    not_before_s: float


class Choice(NamedTuple):
    """The rooms to join now, in order, and those that have to wait because the process is full."""

    join: list[OpenRoom]
    waiting: list[OpenRoom]


def choose(
    rooms: Iterable[OpenRoom],
    pattern: str,
    served: Collection[str],
    failed: Mapping[str, Failed],
    free: int,
    now_s: float,
) -> Choice:
    """The rooms to join: the name matches `pattern`, somebody is in it, it is not served, and no pause goes on.

    `pattern` has `*`, `?` and `[…]` as in a shell, and tells upper from lower case. `free`: how many calls more are
    taken. The room that opened first comes first. `now_s`: a monotonic clock, that of `failed`.
    """
    by_name = {room.name: room for room in rooms}  # a server that lists a closed room too has two of one name
    wanted = [
        room
        for room in by_name.values()
        if room.people > 0
        and room.name not in served
        and fnmatchcase(room.name, pattern)
        and not _pauses(failed.get(room.name), room.sid, now_s)
    ]
    free = max(0, free)
    return Choice(wanted[:free], wanted[free:])


def after_failure(before: Failed | None, sid: str, now_s: float) -> Failed:
    """What is known of a room after one more call failed in it."""
    if before is None or before.sid != sid:
        before = Failed(sid, 0.0, now_s)
    pause_s = longer_pause(before.pause_s)
    return replace(before, pause_s=pause_s, not_before_s=now_s + pause_s)


def example(pattern: str, room: str) -> str:
    """The name of a room that matches the pattern: `room` where it does, else the pattern with its signs replaced."""
    if fnmatchcase(room, pattern):
        return room
    name = pattern.replace("*", "1").replace("?", "1")
    return name if fnmatchcase(name, pattern) else room


def _pauses(failed: Failed | None, sid: str, now_s: float) -> bool:
    return (failed.not_before_s if failed is not None and failed.sid == sid else -math.inf) > now_s
