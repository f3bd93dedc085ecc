"""Pairs two sorted lists of times: as many pairs as possible, as near as possible. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple


def match(wanted: Sequence[float], there: Sequence[float], within: float) -> list[tuple[int, int]]:
    """Return pairs (i, k) of `wanted[i]` and `there[k]` that are no more than `within` apart, in order.

    Each time is in one pair at most. There are as many pairs as possible, and of such pairings it is the one with the
    least distance in all. Both lists are in order.

    Dynamic programming over `wanted`: of the pairings that use `there` up to the same place, only the best is kept.
    Few are open at a time, however long the lists are.
    """
    pairings: dict[int, _Pairing] = {0: _Pairing()}  # by how many of `there` are used
    for i, want in enumerate(wanted):
        first, last = bisect_left(there, exact(want - within)), bisect_right(there, exact(want + within))
        best = _best(pairings, first)
        longer = {used: pairing for used, pairing in pairings.items() if used > first}
        for k in range(first, last):
            before = _best(pairings, k)
            taken = _Pairing(before.pairs + 1, before.nearness - abs(there[k] - want), (i, k), before)
            longer[k + 1] = max(longer.get(k + 1, taken), taken, key=_Pairing.rank)
        pairings = {first: best, **longer}
    return list(max(pairings.values(), key=_Pairing.rank).in_order())


def exact(seconds: float) -> float:
    """Round to a microsecond, so that 0.62 - 0.32 is 0.3."""
    return round(seconds, 6)


class _Pairing(NamedTuple):
    """A pairing as a linked list: its last pair, and the pairing before that."""

    pairs: int = 0
    nearness: float = 0.0  # minus the sum of the distances
    last: tuple[int, int] = (0, 0)
    before: Any = None  # a _Pairing

    def rank(self) -> tuple[int, float]:
        return self.pairs, self.nearness

    def in_order(self) -> Iterator[tuple[int, int]]:
        pairs = []
        pairing = self
        while pairing.before is not None:
            pairs.append(pairing.last)
            pairing = pairing.before
        return reversed(pairs)


def _best(pairings: Mapping[int, _Pairing], used: int) -> _Pairing:
    return max((pairing for at, pairing in pairings.items() if at <= used), key=_Pairing.rank)
