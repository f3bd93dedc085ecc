"""Decides when the node leaves a room in which there is nobody to serve."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable

from webapi.voice_node.room.who_is_heard import CALLERS, Person, Seat

BEGIN_S = 5.0  # for the caller of a call that was just taken to be heard, where the node drains meanwhile
EMPTY_S = 20.0  # how long it stays in an empty room; servers close one after the same time (`departure_timeout`)


class Vacancy:
    """Notes how long nobody has been in the room who has the seat or could get it; sets `over` after `stay_s`.

    Times are seconds of `clock_s`.
    """

    def __init__(self, clock_s: Callable[[], float], stay_s: float = math.inf) -> None:
        self.over = asyncio.Event()
        self._clock_s = clock_s
        self._stay_s = stay_s
        self._draining = False
        self._served = False  # somebody had the seat
        self._since_s: float | None = None

    def drain(self) -> None:
        """From the next look on, stay only as long as a caller has the seat; if nobody had it, BEGIN_S for one."""
        self._draining = True

    def look(self, people: Iterable[Person], seat: Seat | None) -> float:
        """Note who is there now. Returns when to look again even if nothing changes; infinity for never."""
        self._served = self._served or seat is not None
        could_call = not self._draining and any(person.kind in CALLERS for person in people)
        if seat is not None or could_call:
            self._since_s = None
            return math.inf
        if self._since_s is None:
            self._since_s = self._clock_s()
        stay_s = self._stay_s if not self._draining else 0.0 if self._served else BEGIN_S
        until_s = self._since_s + stay_s
        if self._clock_s() >= until_s:
            self.over.set()
            return math.inf
        return until_s
