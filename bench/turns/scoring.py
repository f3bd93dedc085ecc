"""What a rule does at labelled pauses: cut-offs, waits, and their trade-off. Pure.

The method is that of livekit/eot-bench (Apache-2.0), stated again: at a pause a rule fires after some silence. In a
hold that is longer than that it has cut the speaker off. At an end the silence until it fires is what the caller
waits. Cut-offs are a share of the holds, the wait is the mean over the ends. No processing time is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STUCK_S = 4.0  # EVA (ServiceNow) calls an answer late from here on; a caller asks "hello?"
HOLD_S = 0.2  # shorter holds are not counted, as in eot-bench: no rule fires before that
EPSILON = 1e-9
FRAME_S = 0.02
UNSURE = 0.4  # between done_at and open_at, as their default values are
RESAMPLES = 1000
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Pauses(NamedTuple):
    """Labelled pauses as arrays, one value a pause."""

    silence_s: Floats  # until somebody speaks
    ends: Bools
    likely: Floats  # the probability that the caller is done, by some backend
    usual_s: Floats  # how long the caller's pauses were up to now (pause_estimator); infinite where none is known
    turn: NDArray[np.int64]  # pauses of one turn have one number
    least_s: Floats  # the wait is at least so long, because of what is expected: where the caller is surely done
    longest_s: Floats  # the same where they surely are not

    @property
    def holds(self) -> Bools:
        """Which of them are holds that count."""
        return ~self.ends & (self.silence_s >= HOLD_S - EPSILON)


class Policy(NamedTuple):
    """A cell of the grid."""

    threshold: float = 0.0
    delay_s: float = 0.2
    timeout_s: float = 3.0


class Grid(NamedTuple):
    """Policies as columns, so that all of them are computed at once."""

    threshold: Floats
    delay_s: Floats
    timeout_s: Floats


class Fires(NamedTuple):
    """When a rule fires, in seconds of silence, and whether only because time was up: a column a pause.

    A row a policy, where there are several.
    """

    after_s: Floats
    forced: Bools


Rule = Callable[[Pauses, Grid], Fires]


class Point(NamedTuple):
    """A rule's outcome."""

    policy: Policy
    cut_offs: float  # share of the holds
    wait_s: float  # mean over the ends


class Counts(NamedTuple):
    """Of all turns, the share that were answered while the caller went on, never, and only because time was up."""

    early: float
    stuck: float
    forced: float


def threshold(pauses: Pauses, policy: Grid) -> Fires:
    """After the delay, if the probability is the threshold or more; else after the timeout."""
    sure = pauses.likely >= policy.threshold - EPSILON
    return Fires(np.where(sure, policy.delay_s, policy.timeout_s), ~sure)


def graded(pauses: Pauses, policy: Grid) -> Fires:
    """The node's wait (endpoint.py): `threshold` is its done_at, and open_at is UNSURE below it.

    From done_at on it fires after the delay, up to open_at after the timeout, and on the line between them in between,
    in whole frames.
    """
    doubt = np.clip((policy.threshold - pauses.likely) / UNSURE, 0.0, 1.0)
    frames = np.round(doubt * (policy.timeout_s - policy.delay_s) / FRAME_S)
    return Fires(policy.delay_s + frames * FRAME_S, doubt >= 1)


def bounded(pauses: Pauses, policy: Grid) -> Fires:
    """The same where the orchestrator has said what it expects: the waits are at least those of expectations.py."""
    least_s = np.maximum(policy.delay_s, pauses.least_s)
    longest_s = np.maximum(policy.timeout_s, pauses.longest_s)
    return graded(pauses, Grid(policy.threshold, least_s, longest_s))


def usual(pauses: Pauses, policy: Grid) -> Fires:
    """As `threshold`, but an unlikely end waits only as long as this caller's usual pauses, at most the timeout."""
    sure = pauses.likely >= policy.threshold - EPSILON
    limit_s = np.clip(pauses.usual_s, policy.delay_s, policy.timeout_s)
    return Fires(np.where(sure, policy.delay_s, limit_s), ~sure)


def grid(policies: Sequence[Policy]) -> Grid:
    """Those policies as columns."""
    return Grid(*(np.array(column, float)[:, None] for column in zip(*policies, strict=True)))


def fire(rule: Rule, pauses: Pauses, policy: Policy) -> Fires:
    """When the rule fires with one policy."""
    after_s, forced = rule(pauses, grid([policy]))
    return Fires(after_s[0], forced[0])


def cut(pauses: Pauses, fires: Fires) -> Bools:
    """The holds in which it fires before the speaker goes on."""
    return pauses.holds & (pauses.silence_s > fires.after_s + EPSILON)


def score(pauses: Pauses, fires: Fires) -> Floats:
    """Cut-offs as a share of the holds, and the mean wait at the ends in seconds: the last axis of the result."""
    holds, ends = pauses.holds, pauses.ends
    none = np.full(fires.after_s.shape[:-1], np.nan)
    cut_offs = cut(pauses, fires)[..., holds].mean(axis=-1) if holds.any() else none
    wait_s = fires.after_s[..., ends].mean(axis=-1) if ends.any() else none
    return np.stack([cut_offs, wait_s], axis=-1)


def counts(pauses: Pauses, fires: Fires) -> Counts:
    """The three counts of turns. A turn whose end is not labelled counts only among the early ones."""
    turns = np.unique(pauses.turn)
    early = np.unique(pauses.turn[cut(pauses, fires)])
    ended = pauses.ends
    stuck = ended & (fires.after_s > STUCK_S)
    of = max(1, int(ended.sum()))
    return Counts(
        len(early) / max(1, len(turns)),
        float(stuck.sum()) / of,
        float((ended & fires.forced & ~stuck).sum()) / of,
    )


def sweep(sources: Sequence[Pauses], rule: Rule, policies: Sequence[Policy]) -> list[Point]:
    """Each policy over all sources. Every source weighs the same, however many pauses it has."""
    columns = grid(policies)
    scored = np.array([score(pauses, rule(pauses, columns)) for pauses in sources])
    means = np.nanmean(scored, axis=0).tolist()
    return [Point(policy, cut_offs, wait_s) for policy, (cut_offs, wait_s) in zip(policies, means, strict=True)]


def front(points: Iterable[Point]) -> list[Point]:
    """The best trade-offs: no other point has fewer cut-offs at the same wait or less."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.wait_s, p.cut_offs)):
        if not best or point.cut_offs < best[-1].cut_offs - EPSILON:
            best.append(point)
    return best


def at_wait(points: Iterable[Point], wait_s: float) -> Point | None:
    """The point with the fewest cut-offs whose mean wait is not longer."""
    there = [p for p in points if p.wait_s <= wait_s + EPSILON]
    return min(there, key=lambda p: (p.cut_offs, p.wait_s)) if there else None


def at_cut_offs(points: Iterable[Point], share: float) -> Point | None:
    """The point with the shortest mean wait that does not cut off more."""
    there = [p for p in points if p.cut_offs <= share + EPSILON]
    return min(there, key=lambda p: (p.wait_s, p.cut_offs)) if there else None


def interval(sources: Sequence[Pauses], fires: Callable[[Pauses], Fires], seed: int = 1) -> tuple[float, float]:
    """The 95 % confidence interval of the cut-offs: bootstrap over turns (Efron & Tibshirani 1993, percentiles)."""
    random = np.random.default_rng(seed)
    drawn = np.zeros(RESAMPLES)
    for pauses in sources:
        _, turn = np.unique(pauses.turn, return_inverse=True)
        holds = np.bincount(turn, pauses.holds)
        cuts = np.bincount(turn, cut(pauses, fires(pauses)))
        chosen = random.integers(len(holds), size=(RESAMPLES, len(holds)))
        drawn += cuts[chosen].sum(axis=1) / np.maximum(1, holds[chosen].sum(axis=1)) / len(sources)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
