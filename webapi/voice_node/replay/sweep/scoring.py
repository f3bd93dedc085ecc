"""Scores detected speech against labelled speech. Pure; times are seconds."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from webapi.voice_node.replay.sweep.matching import exact, match

WITHIN_S = 0.3  # how far a detected onset may be from the labelled one
MatchKind: TypeAlias = Literal["found", "late", "split", "false"]


class SpeechSpan(NamedTuple):
    """A stretch of labelled speech."""

    start_s: float
    end_s: float


class Heard(NamedTuple):
    """A stretch that the node took for speech."""

    start_s: float  # when its start was decided
    onset_s: float  # its first voiced frame
    end_s: float  # when its end was decided


@dataclass(frozen=True, slots=True)
class Score:
    """The score of one recording; of several it is `sum(scores, Score())`."""

    labels: int = 0
    kinds: tuple[MatchKind, ...] = ()  # of each Heard, in order
    start_delays_s: tuple[float, ...] = ()  # of each found onset: from the labelled onset to the decided start
    end_delays_s: tuple[float, ...] = ()  # from the labelled end to the decided one; < 0: the talker was cut off
    speech_s: float = 0.0  # labelled
    quiet_s: float = 0.0  # the rest of the recording

    @property
    def found(self) -> int:
        """How many labelled onsets have a detected one near them."""
        return self.kinds.count("found")

    @property
    def missed(self) -> int:
        """How many labelled onsets have none."""
        return self.labels - self.found

    @property
    def late(self) -> int:
        """How many of the missed were detected later in their speech."""
        return self.kinds.count("late")

    @property
    def splits(self) -> int:
        """How many starts lie in labelled speech that was detected before: one utterance became two."""
        return self.kinds.count("split")

    @property
    def false(self) -> int:
        """How many starts lie where nobody spoke."""
        return self.kinds.count("false")

    @property
    def false_per_minute(self) -> float | None:
        """False starts per minute of unlabelled audio; None where all is labelled."""
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
    """Score what was heard against the labels of a recording of `length_s`. Both are in order; labels don't overlap.

    Each `Heard` is one of:
    - `found`: its onset is within `within_s` of a labelled one, and paired with it: see `match`.
    - `split`: it begins in labelled speech that was heard before.
    - `late`: it begins in labelled speech, is the first to be heard of it, but too late to be found.
    - `false`: it begins where nobody spoke.

    A label ends with the last `Heard` that overlaps it, unless that one goes on into the next label.
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
        start_delays_s=tuple(exact(heard[k].start_s - labels[i].start_s) for i, k in pairs),
        end_delays_s=tuple(_end_delays(labels, heard)),
        speech_s=exact(speech_s),
        quiet_s=exact(max(0.0, length_s - speech_s)),
    )


def _end_delays(labels: Sequence[SpeechSpan], heard: Sequence[Heard]) -> Iterator[float]:
    onsets = [h.onset_s for h in heard]
    for label, next_s in zip(labels, [*(after.start_s for after in labels[1:]), math.inf], strict=False):
        last = bisect_left(onsets, label.end_s) - 1  # the last that began before the label's end
        end_s = heard[last].end_s if last >= 0 else label.start_s
        if end_s > label.start_s and end_s <= next_s:
            yield exact(end_s - label.end_s)
