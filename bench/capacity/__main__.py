"""`python -m bench.capacity`: the nodes for so many calls, and what callers notice of updates and failures.

It checks itself: without patience, drains and failures the share of refused calls must be that of Erlang's formula.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path

from bench.capacity.picture import draw
from bench.capacity.plan import Plan, erlang_b
from bench.capacity.simulation import Counted, Simulation
from bench.options import whole_number

OUT = Path(__file__).parents[1] / "out"
CHECK = Plan(calls=36, per_node=5, spare=0.11, patience_s=0, dispatch_s=0, mtbf_h=math.inf, hours=100)
CHECK_WITHIN = 0.1  # of the formula's value, relative


def check() -> tuple[float, float]:
    """The share of refused calls in a small cluster: simulated, and by Erlang's formula."""
    counted = Simulation(CHECK).run()
    return counted.given_up / counted.arrived, erlang_b(CHECK.calls, CHECK.nodes * CHECK.per_node)


def scenarios(plan: Plan) -> dict[str, Plan]:
    """The plan, and what may happen to it."""
    few = max(1, round(plan.nodes * 0.05))
    return {
        f"{plan.spare:.0%} spare nodes": plan,
        "none spare": replace(plan, spare=0.0),
        "5 % spare": replace(plan, spare=0.05),
        "30 % more calls for ten minutes": replace(plan, burst=0.3),
        f"update of all, {few} at a time": replace(plan, rolling=few, hours=max(2.0, plan.hours)),
        "the same, DRAIN_TIMEOUT_S=3600": replace(plan, rolling=few, drain_timeout_s=3600, hours=max(2.0, plan.hours)),
        "each node dies once a day": replace(plan, mtbf_h=24.0),
        "no rescue, once a day": replace(plan, mtbf_h=24.0, rescue_s=math.inf),
    }


def row(name: str, plan: Plan, counted: Counted) -> str:
    """A line of the table."""
    of = max(1, counted.arrived)
    peak = max((calls for _, calls, _ in counted.over_time), default=0)
    waited = f"{len(counted.waits_s) / of:.3%}"
    return (
        f"{name:<34}{plan.nodes:>6}{peak:>8}{peak / (plan.nodes * plan.per_node):>7.0%}{waited:>9}"
        f"{counted.given_up / of:>10.4%}{counted.node_deaths:>7}{counted.rescued:>9}{counted.lost:>6}"
        f"{counted.nodes_updated:>9}{counted.cut:>6}"
    )


def main() -> int:
    """Print the table, and draw the picture. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=float, default=10_000, help="calls in progress, on the average")
    parser.add_argument("--per-node", type=whole_number, default=Plan.per_node, help="MAX_CALLS of a node")
    parser.add_argument("--call-s", type=float, default=Plan.call_s, help="the mean length of a call")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    simulated, formula = check()
    print(f"Checked: {simulated:.2%} refused in a small cluster, Erlang's formula says {formula:.2%}.")
    plan = Plan(calls=given.calls, per_node=given.per_node, call_s=given.call_s)
    print(f"{given.calls:g} calls at a time of {given.call_s:g} s: {plan.per_second:.1f} begin each second.\n")
    print(
        f"{'':<34}{'nodes':>6}{'peak':>8}{'full':>7}{'waited':>9}{'gave up':>10}{'deaths':>7}{'rescued':>9}"
        f"{'lost':>6}{'updated':>9}{'cut':>6}"
    )
    done = {}
    for name, each in scenarios(plan).items():
        done[name] = Simulation(each).run()
        print(row(name, each, done[name]), flush=True)
    path = draw(done, given.per_node, given.out)
    print(f"\n{path}")
    return 0 if abs(simulated - formula) <= CHECK_WITHIN * formula else 1


if __name__ == "__main__":
    sys.exit(main())
