"""The rules that are compared: what each is, over which grid it is swept, and the peers' at their published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from bench.turns import scoring
from bench.turns.scoring import Fires, Pauses, Point, Policy, Rule

# The grid of eot-bench.
THRESHOLDS = tuple(k / 100 for k in range(101))
DELAYS_S = tuple(k / 10 for k in range(2, 11))
TIMEOUTS_S = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
SILENCES_S = tuple(k / 20 for k in range(4, 71))  # 0.2 to 3.5 s
DONE_AT = tuple(k / 20 for k in range(4, 29))  # 0.2 to 1.4: from 1 on, nobody is surely done

GRADED = tuple(Policy(*p) for p in product(DONE_AT, DELAYS_S, TIMEOUTS_S))
SILENT = tuple(Policy(0.0, delay_s, delay_s) for delay_s in SILENCES_S)
SWEPT = (*(Policy(*p) for p in product(THRESHOLDS, DELAYS_S, TIMEOUTS_S)), *SILENT)  # a threshold of 0 is silence
NODE = Policy(0.7, 0.6, 2.0)  # done_at, end_frames and longest_hold_ms of graphs/end-of-turn.yaml
PATIENT = tuple(Policy(1.1, delay_s, timeout_s) for delay_s, timeout_s in product(DELAYS_S, (0.6, 0.8, *TIMEOUTS_S)))


class Curve(NamedTuple):
    """A rule with its grid. `asks`: the backend whose probabilities it takes; "" if it needs none."""

    name: str
    asks: str
    rule: Rule
    policies: tuple[Policy, ...]
    what: str


class Fixed(NamedTuple):
    """A rule at one point, as somebody ships it."""

    name: str
    asks: str
    policy: Policy
    what: str
    rule: Rule = scoring.threshold


def curves(backends: Sequence[str]) -> list[Curve]:
    """Those that can be drawn with these backends."""
    found = [
        Curve("silence", "", scoring.threshold, SILENT, "a fixed silence"),
        Curve("patience", "", scoring.usual, PATIENT, "the caller's usual pauses (`patience_ms`)"),
    ]
    found += [Curve(name, name, scoring.threshold, SWEPT, f"`{name}`: delay or timeout") for name in backends]
    asked = [name for name in ("smart-turn", "words") if name in backends]
    found += [Curve(f"{name}, graded", name, scoring.graded, GRADED, "the likelier, the sooner") for name in asked]
    return found


def shipped(backends: Sequence[str]) -> list[Fixed]:
    """The rules of others by their published parameters, and the node's default."""
    never = float("inf")
    found = [
        Fixed("voice_node default", "", Policy(0.0, 0.2, 0.2), "200 ms of silence; an unheard reply is dropped"),
        Fixed("silence 0.5 s", "", Policy(0.0, 0.5, 0.5), "livekit-agents without a model"),
        Fixed("silence 0.8 s", "", Policy(0.0, 0.8, 0.8), "a usual setting"),
        Fixed("silence 1.0 s", "", Policy(0.0, 1.0, 1.0), "a usual setting"),
    ]
    asked = [name for name in ("words", "smart-turn") if name in backends]
    found += [Fixed(f"end-of-turn, {each}", each, NODE, "0.6 to 2 s by the answer", scoring.bounded) for each in asked]
    if "smart-turn" in backends:
        found += [
            Fixed("pipecat", "smart-turn", Policy(0.5, 0.2, 3.0), "stop_secs 0.2, Smart Turn, else after 3 s"),
            Fixed("livekit-agents", "smart-turn", Policy(0.5, 0.5, 3.0), "0.5 or 3.0 s by a model: here Smart Turn"),
            Fixed("no timeout", "smart-turn", Policy(0.5, 0.2, never), "Smart Turn alone decides"),
        ]
    return found


def fires(fixed: Fixed, pauses: Pauses) -> Fires:
    """When a shipped rule fires. One that asks no backend is never forced: time is all that it decides by."""
    after_s, forced = scoring.fire(fixed.rule, pauses, fixed.policy)
    return Fires(after_s, forced if fixed.asks else np.zeros(len(after_s), bool))


def place(fixed: Fixed, sources: Sequence[Pauses]) -> Point:
    """Where a shipped rule is among the curves."""
    return scoring.sweep(sources, fixed.rule, [fixed.policy])[0]
