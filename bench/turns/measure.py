"""All rules over all pauses: curves of what is held back, points that were chosen on the rest, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.turns import ask, scoring
from bench.turns.curves import Curve, Fixed, curves, fires, place, shipped
from bench.turns.pauses import Pause
from bench.turns.scoring import Counts, Fires, Floats, Pauses, Point
from webapi.voice_node.end_of_turn import Backend

WAITS_S = (0.3, 0.6, 0.8)
CUT_OFFS = 0.05
GOAL_WAIT_S = 0.8
LEAST_ENDS = 20  # held back: a source with fewer is shown, and is not in what is said of all
SOUND, BOTH, ALL = "sound", "sound + smart-turn", "sound + smart-turn + words"


class Outcome(NamedTuple):
    """A curve, on what is held back."""

    curve: Curve
    points: list[Point]  # the best trade-offs, over all sources
    by_source: dict[str, list[Point]]
    chosen: Point | None  # the best within GOAL_WAIT_S on what is not held back
    then: Point | None  # what it does on what is held back
    low_high: tuple[float, float]  # 95 % interval of its cut-offs
    counts: Counts | None


class Shipped(NamedTuple):
    """A rule of others, on what is held back."""

    rule: Fixed
    point: Point
    by_source: dict[str, Point]
    counts: Counts


class Measured(NamedTuple):
    """All of it."""

    outcomes: list[Outcome]
    shipped: list[Shipped]
    counted: list[str]  # the sources that are in what is said of all
    sizes: dict[str, dict[str, int]]  # of each source


def likely(pauses: Sequence[Pause], backends: Mapping[str, Backend]) -> dict[str, Floats]:
    """The probability of an end at each pause, by each backend, by the sound, and by several together."""
    found = {name: ask.answers(name, backend, pauses) for name, backend in backends.items()}
    found[SOUND] = ask.by_sound(pauses)
    if "smart-turn" in found:
        p = np.clip(found["smart-turn"], 1e-4, 1 - 1e-4)
        heard = np.log(p / (1 - p))[:, None]
        found[BOTH] = ask.by_sound(pauses, heard)
        if "words" in found:
            found[ALL] = ask.by_sound(pauses, np.c_[heard, found["words"]])
    return found


def measure(pauses: Sequence[Pause], backends: Mapping[str, Backend]) -> Measured:
    """Ask, sweep, choose, and count."""
    said = likely(pauses, backends)
    usual = ask.usual_s(pauses)
    names = sorted({p.of.source for p in pauses})

    def split(name: str, *, held: bool) -> dict[str, Pauses]:
        of = said.get(name, np.ones(len(pauses)))
        picked = {n: [k for k, p in enumerate(pauses) if p.of.source == n and p.of.held is held] for n in names}
        return {n: ask.arrays([pauses[k] for k in ks], of[ks], usual[ks]) for n, ks in picked.items() if ks}

    counted = _counted(pauses)
    outcomes = [_outcome(c, split(c.asks, held=False), split(c.asks, held=True), counted) for c in curves(list(said))]
    others = []
    for rule in shipped(list(said)):
        held = split(rule.asks, held=True)
        points = {name: place(rule, [each]) for name, each in held.items()}
        there = [each for name, each in held.items() if name in counted]
        shares = _mean([scoring.counts(each, fires(rule, each)) for each in there])
        others.append(Shipped(rule, place(rule, there), points, shares))
    return Measured(
        outcomes, others, counted, {name: _sizes([p for p in pauses if p.of.source == name]) for name in names}
    )


def _counted(pauses: Sequence[Pause]) -> list[str]:
    """The sources with enough ends; all of them, if none has."""
    ends = Counter(p.of.source for p in pauses if p.ends and p.of.held)
    return [name for name in sorted(ends) if ends[name] >= LEAST_ENDS] or sorted({p.of.source for p in pauses})


def _outcome(curve: Curve, tuned: Mapping[str, Pauses], held: Mapping[str, Pauses], counted: Sequence[str]) -> Outcome:
    there = [each for name, each in held.items() if name in counted]
    points = scoring.front(scoring.sweep(there, curve.rule, curve.policies))
    alone = {name: scoring.front(scoring.sweep([each], curve.rule, curve.policies)) for name, each in held.items()}
    best = None
    known = [each for name, each in tuned.items() if name in counted]
    if known:
        best = scoring.at_wait(scoring.sweep(known, curve.rule, curve.policies), GOAL_WAIT_S)
    if best is None:
        return Outcome(curve, points, alone, None, None, (float("nan"), float("nan")), None)
    policy = best.policy

    def fired(pauses: Pauses) -> Fires:
        return scoring.fire(curve.rule, pauses, policy)

    shares = _mean([scoring.counts(each, fired(each)) for each in there])
    if not curve.asks:
        shares = shares._replace(forced=0.0)  # silence is all that it decides by
    (then,) = scoring.sweep(there, curve.rule, [policy])
    return Outcome(curve, points, alone, best, then, scoring.interval(there, fired), shares)


def _mean(counted: Sequence[Counts]) -> Counts:
    return Counts(*(float(v) for v in np.mean(counted, axis=0)))


def _sizes(pauses: Sequence[Pause]) -> dict[str, int]:
    kinds = {"tuned": [p for p in pauses if not p.of.held], "held back": [p for p in pauses if p.of.held]}
    out: dict[str, int] = {}
    for name, those in kinds.items():
        holds = sum(not p.ends and p.silence_s >= scoring.HOLD_S for p in those)
        out |= {f"{name}, holds": holds, f"{name}, ends": sum(p.ends for p in those)}
    return out


def as_json(measured: Measured) -> dict[str, Any]:
    """For a file: every curve and every figure; seconds and shares of 1."""
    return {
        "pauses": measured.sizes,
        "in_all": measured.counted,
        "curves": {
            o.curve.name: {
                "what": o.curve.what,
                "front": [_point(p) for p in o.points],
                **figures(o.points),
                "by_source": {name: figures(points) for name, points in o.by_source.items()},
                "chosen_on_tuned": _point(o.then) if o.then else None,
                "cut_offs_95": o.low_high,
                "counts": o.counts._asdict() if o.counts else None,
            }
            for o in measured.outcomes
        },
        "shipped": {
            s.rule.name: {
                "what": s.rule.what,
                **_point(s.point),
                "by_source": {name: _point(p) for name, p in s.by_source.items()},
                "counts": s.counts._asdict(),
            }
            for s in measured.shipped
        },
    }


def figures(points: Sequence[Point]) -> dict[str, float | None]:
    """The figures of the method: cut-offs at each mean wait of WAITS_S, and the wait at CUT_OFFS."""
    out: dict[str, float | None] = {}
    for wait_s in WAITS_S:
        point = scoring.at_wait(points, wait_s)
        out[f"cut_offs_at_{round(wait_s * 1000)}_ms"] = point.cut_offs if point else None
    point = scoring.at_cut_offs(points, CUT_OFFS)
    out["wait_at_5_percent"] = point.wait_s if point else None
    return out


def _point(point: Point) -> dict[str, Any]:
    """A point for JSON, which knows no infinity: None."""
    seconds = {**point.policy._asdict(), "cut_offs": round(point.cut_offs, 5), "wait_s": round(point.wait_s, 5)}
    return {name: None if value == float("inf") else value for name, value in seconds.items()}
