"""How well a rule heard, over many scenes, with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bench.hearing.features import Features
from bench.hearing.voices import Samples
from webapi.voice_node.replay.sweep.matching import match
from webapi.voice_node.replay.sweep.scoring import Heard, score

WITHIN_S = 0.3
RESAMPLES = 400


class Tally(NamedTuple):
    """What came of one scene; or of many, added up."""

    labels: float  # utterances
    found: float  # a start was decided within WITHIN_S of its first sound
    stuck: float  # not found, because a turn that had begun before still went on
    false: float  # starts where nobody spoke
    splits: float  # further starts in an utterance: one has become two
    quiet_min: float  # minutes in which nobody spoke
    delays_s: Samples  # from an utterance's first sound to the decision, of those found
    ends_s: Samples  # from its last sound to the decision that it is over

    @property
    def values(self) -> dict[str, float]:
        """The figures of the tables: shares in %, delays in ms, false starts a minute."""
        some = max(self.labels, 1)
        return {
            "found": 100 * self.found / some,
            "stuck": 100 * self.stuck / some,
            "splits": 100 * self.splits / some,
            "false": self.false / self.quiet_min,
            "delay": _percentile(self.delays_s, 50),
            "p95": _percentile(self.delays_s, 95),
            "end": _percentile(self.ends_s, 50),
        }


def tally(f: Features, heard: Sequence[Heard]) -> Tally:
    """Hold what was heard in a scene against who spoke when."""
    whole = score(f.spans, heard, f.length_s, WITHIN_S)
    pairs = match([span.start_s for span in f.spans], [h.start_s for h in heard], WITHIN_S)
    found, used = {i for i, _ in pairs}, {k for _, k in pairs}
    stuck = sum(
        any(h.start_s < span.start_s - WITHIN_S and h.end_s > span.start_s for h in heard)
        for i, span in enumerate(f.spans)
        if i not in found
    )
    touched = set(found)
    false = splits = 0
    for h in (h for k, h in enumerate(heard) if k not in used):
        inside = [i for i, s in enumerate(f.spans) if s.start_s - WITHIN_S <= h.start_s and h.onset_s < s.end_s]
        false += not inside
        splits += bool(inside) and inside[-1] in touched  # else it is late: the first that is heard of that utterance
        touched.update(inside[-1:])
    return Tally(
        labels=len(f.spans),
        found=len(pairs),
        stuck=stuck,
        false=false,
        splits=splits,
        quiet_min=whole.quiet_s / 60,
        delays_s=np.array([heard[k].start_s - f.spans[i].start_s for i, k in pairs]),
        ends_s=np.array(whole.end_delays_s),
    )


def total(tallies: Sequence[Tally]) -> Tally:
    """All of them as one."""
    return Tally(
        labels=sum(t.labels for t in tallies),
        found=sum(t.found for t in tallies),
        stuck=sum(t.stuck for t in tallies),
        false=sum(t.false for t in tallies),
        splits=sum(t.splits for t in tallies),
        quiet_min=sum(t.quiet_min for t in tallies),
        delays_s=np.concatenate([np.zeros(0), *(t.delays_s for t in tallies)]),
        ends_s=np.concatenate([np.zeros(0), *(t.ends_s for t in tallies)]),
    )


def interval(tallies: Sequence[Tally], of: Callable[[Tally], float], seed: int = 1) -> tuple[float, float]:
    """The 95 % confidence interval of a figure: bootstrap over scenes (Efron & Tibshirani 1993, percentiles)."""
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = random.integers(len(tallies), size=len(tallies))
        drawn.append(of(total([tallies[k] for k in chosen])))
    known = [value for value in drawn if value == value]  # NaN: none was found
    low, high = np.percentile(known or [float("nan")], [2.5, 97.5])
    return float(low), float(high)


def _percentile(seconds: Samples, q: float) -> float:
    return float(np.percentile(seconds, q) * 1000) if len(seconds) else float("nan")
