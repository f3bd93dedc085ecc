"""How well turns were heard: the starts and ends that were decided against labelled speech. Pure; times are seconds."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

WITHIN_S = 0.3  # how far an onset may be from the labelled one
MatchKind: TypeAlias = Literal["found", "late", "split", "false"]


class SpeechSpan(NamedTuple):
    """A stretch of labelled speech."""

    start_s: float
    end_s: float


class Heard(NamedTuple):
    """A stretch that was taken for speech."""

    start_s: float  # when its start was decided
    onset_s: float  # its first voiced frame
    end_s: float  # when its end was decided


@dataclass(frozen=True, slots=True)
class Score:
    """What came of one recording; of several: `sum(scores, Score())`."""

    labels: int = 0
    kinds: tuple[MatchKind, ...] = ()  # of each Heard, in order
    start_delays_s: tuple[float, ...] = ()  # of each found one: from the labelled onset to the decided start
    end_delays_s: tuple[float, ...] = ()  # from the labelled end to the decided one; < 0: the talker was cut off
    speech_s: float = 0.0  # labelled
    quiet_s: float = 0.0  # the rest of the recording

    @property
    def found(self) -> int:
        """Labelled onsets with a heard one near them."""
        return self.kinds.count("found")

    @property
    def missed(self) -> int:
        """Labelled onsets without one."""
        return self.labels - self.found

    @property
    def late(self) -> int:
        """Those of the missed that were heard while their speech still went on."""
        return self.kinds.count("late")

    @property
    def splits(self) -> int:
        """Starts in the middle of labelled speech that had been heard before: one utterance became two."""
        return self.kinds.count("split")

    @property
    def false(self) -> int:
        """Starts where nobody spoke."""
        return self.kinds.count("false")

    @property
    def false_per_minute(self) -> float | None:
        """False starts a minute of what is not labelled; None where all is."""
        return self.false / self.quiet_s * 60 if self.quiet_s > 0 else None

    def __add__(self, other: Score) -> Score:
        return Score(
            self.labels + other.labels,
            self.kinds + other.kinds,
            self.start_delays_s + other.start_delays_s,
            self.end_delays_s + other.end_delays_s,
            self.speech_s + other.speech_s,
            self.quiet_s + other.quiet_s,
        )


def score(labels: Sequence[SpeechSpan], heard: Sequence[Heard], length_s: float, within_s: float = WITHIN_S) -> Score:
    """Hold what was heard against the labels of a recording of `length_s`. Both come in order; labels don't overlap.

    Each `Heard` is one of:
    - `found`: its onset is within `within_s` of a labelled one; one to one, as many as can be, of those the nearest.
    - `split`: it begins in labelled speech that had been heard before.
    - `late`: it begins in labelled speech, is the first to be heard of it, and is too late to be found.
    - `false`: it begins where nobody spoke.

    A label has ended when the last `Heard` that overlaps it has, unless that one goes on into the next label.
    """
    pairs = match([label.start_s for label in labels], [h.onset_s for h in heard], within_s)
    found = {k: i for i, k in pairs}
    touched = set(found.values())
    kinds: list[MatchKind] = []
    for k, one in enumerate(heard):
        i = bisect_right(labels, one.onset_s, key=lambda label: label.start_s) - 1
        if k in found:
            kinds.append("found")
        elif i < 0 or one.onset_s >= labels[i].end_s:
            kinds.append("false")
        else:
            kinds.append("split" if i in touched else "late")
            touched.add(i)
    speech_s = sum(label.end_s - label.start_s for label in labels)
    return Score(
        labels=len(labels),
        kinds=tuple(kinds),
        start_delays_s=tuple(_exact(heard[k].start_s - labels[i].start_s) for i, k in pairs),
        end_delays_s=tuple(_end_delays(labels, heard)),
        speech_s=_exact(speech_s),
        quiet_s=_exact(max(0.0, length_s - speech_s)),
    )


def match(wanted: Sequence[float], there: Sequence[float], within: float) -> list[tuple[int, int]]:
    """Pairs (i, k) of `wanted[i]` with `there[k]`, both in order: as many as can be, and of those the least apart.

    Of the ways to pair what came before, only the best of those that use up `there` equally far is kept, and all that
    the next one can't tell apart count as equal: few are open at a time, however long the lists are.
    """
    ways: dict[int, _Way] = {0: _Way()}  # by how many of `there` are used up
    for i, want in enumerate(wanted):
        first, last = bisect_left(there, _exact(want - within)), bisect_right(there, _exact(want + within))
        best = _best(ways, first)
        longer = {used: way for used, way in ways.items() if used > first}
        for k in range(first, last):
            before = _best(ways, k)
            taken = _Way(before.pairs + 1, before.nearness - abs(there[k] - want), (i, k), before)
            longer[k + 1] = max(longer.get(k + 1, taken), taken, key=_Way.rank)
        ways = {first: best, **longer}
    return list(max(ways.values(), key=_Way.rank).chain())


class _Way(NamedTuple):
    """A way to pair: how many pairs, minus how far apart in all, the last pair, and the way before it."""

    pairs: int = 0
    nearness: float = 0.0
    last: tuple[int, int] = (0, 0)
    before: Any = None  # a _Way

    def rank(self) -> tuple[int, float]:
        return self.pairs, self.nearness

    def chain(self) -> Iterator[tuple[int, int]]:
        pairs = []
        way = self
        while way.before is not None:
            pairs.append(way.last)
            way = way.before
        return reversed(pairs)


def _best(ways: Mapping[int, _Way], used: int) -> _Way:
    return max((way for at, way in ways.items() if at <= used), key=_Way.rank)


def _end_delays(labels: Sequence[SpeechSpan], heard: Sequence[Heard]) -> Iterator[float]:
    onsets = [h.onset_s for h in heard]
    for label, next_s in zip(labels, [*(after.start_s for after in labels[1:]), math.inf], strict=False):
        last = bisect_left(onsets, label.end_s) - 1  # the last that began before the label's end
        end_s = heard[last].end_s if last >= 0 else label.start_s
        if end_s > label.start_s and end_s <= next_s:
            yield _exact(end_s - label.end_s)


def _exact(seconds: float) -> float:
    """To the microsecond: 0.62 - 0.32 is 0.3."""
    return round(seconds, 6)
