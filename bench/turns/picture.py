"""The pictures: each rule's trade-off of cut-offs and waiting, over all sources and for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.turns.measure import CUT_OFFS, GOAL_WAIT_S, Measured
from bench.turns.scoring import Point
from webapi.voice_node.report.plotting import Figure, save, style

# Colours that the colour-blind tell apart (Okabe and Ito).
COLOURS = ("#000000", "#009E73", "#D55E00", "#56B4E9", "#0072B2", "#E69F00", "#CC79A7", "#999999")
LONGEST_MS, MOST = 2000, 60  # of the axes
SHOWN = ("silence", "words", "words, graded", "smart-turn", "sound")  # more hide each other
TITLES = {
    "meetings": "meetings: people talking with people",
    "digits": "phone numbers of spoken digits",
    "prompts": "prompts, pauses where the reader made them",
    "joined": "prompts joined: a sentence, a pause, another",
    "own": "own recordings",
}


def draw(measured: Measured, out: Path) -> list[Path]:
    """Write turns.png, turns.svg and the same of turns-by-source into `out`; their paths."""
    drawn = [o for o in measured.outcomes if o.curve.name in SHOWN]
    colours = {o.curve.name: COLOURS[k % len(COLOURS)] for k, o in enumerate(drawn)}
    with style():
        whole = Figure(figsize=(9, 5.6), layout="constrained")
        panel = whole.subplots()
        _goal(panel)
        for o in drawn:
            _curve(panel, o.points, colours[o.curve.name], o.curve.name)
        for s in measured.shipped:
            _shipped(panel, s.rule.name, s.point)
        panel.set_title(
            f"Callers cut off, and callers kept waiting (held back: {', '.join(measured.counted)})", fontsize=10
        )
        panel.legend(fontsize=8, title="best of each grid", title_fontsize=8)
        _axes(panel)
        apart = Figure(figsize=(9, 7), layout="constrained")
        names = sorted(measured.sizes, key=list(TITLES).index)
        panels = apart.subplots(2, 2, sharex=True, sharey=True).flat if len(names) > 1 else [apart.subplots()]
        for name, each in zip(names, panels, strict=False):
            _goal(each)
            for o in drawn:
                _curve(each, o.by_source.get(name, []), colours[o.curve.name], o.curve.name)
            size = measured.sizes[name]
            counted = f"{size['held back, holds']} holds, {size['held back, ends']} ends"
            each.set_title(f"{TITLES[name]}\n{counted}", fontsize=9)
            _axes(each)
        panels[0].legend(fontsize=7)
        return save({"turns": whole, "turns-by-source": apart}, out)


def _curve(panel: Any, points: Sequence[Point], colour: str, name: str) -> None:
    """Between two points of a grid there is nothing: a step."""
    waits = [p.wait_s * 1000 for p in points]
    shares = [p.cut_offs * 100 for p in points]
    panel.step(
        [*waits, LONGEST_MS * 2], [*shares, shares[-1]] if shares else [0], where="post", color=colour, label=name
    )


def _shipped(panel: Any, name: str, point: Point) -> None:
    """A rule as somebody ships it; at the upper edge, with its figure, where it cuts off more than the axis shows."""
    wait_ms, share = point.wait_s * 1000, point.cut_offs * 100
    if wait_ms > LONGEST_MS:
        return
    above = share > MOST
    panel.plot(wait_ms, min(share, MOST - 1.5), "^" if above else "D", color="black", markersize=5)
    below = name.startswith("end-of-turn, words")  # so that no two names are in one place
    panel.annotate(
        f"{name}: {share:.0f} %" if above else name, (wait_ms, min(share, MOST - 1.5)),
        xytext=(-4 if below else 7, -22 if below else -4 if above else 4), textcoords="offset points", fontsize=8,
    )  # fmt: skip


def _goal(panel: Any) -> None:
    panel.fill_between([0, GOAL_WAIT_S * 1000], 0, CUT_OFFS * 100, color="#009E73", alpha=0.15, linewidth=0)
    panel.text(20, CUT_OFFS * 50, "the goal", color="#00604A", fontsize=8, va="center")


def _axes(panel: Any) -> None:
    panel.set(xlim=(0, LONGEST_MS), ylim=(0, MOST))
    panel.set_xlabel("mean wait after the end of a turn, ms", fontsize=9)
    panel.set_ylabel("holds in which the caller is cut off, %", fontsize=9)
    panel.grid(alpha=0.3)
    panel.set_axisbelow(True)
