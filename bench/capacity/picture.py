"""Draws the calls and the nodes of simulations over time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.capacity.simulation import Counted
from webapi.voice_node.report.plotting import Figure, save, style

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#999999",
    "#F0E442",
)  # colour-blind people see them


def draw(done: Mapping[str, Counted], per_node: int, out: Path) -> Path:
    """Write capacity.png and .svg into `out`: a panel a scenario, with calls in progress and the places for them."""
    with style():
        figure = Figure(figsize=(9, 1.25 * len(done) + 0.6), layout="constrained")
        panels = figure.subplots(len(done), 1, sharex=True)
        for (name, counted), panel, colour in zip(done.items(), panels, COLOURS, strict=False):
            minutes = [at_s / 60 for at_s, _, _ in counted.over_time]
            panel.plot(minutes, [calls for _, calls, _ in counted.over_time], color=colour, label="calls")
            places = [nodes * per_node for _, _, nodes in counted.over_time]
            panel.step(
                minutes, places, color="black", linewidth=0.8, where="post", label="places in nodes that take calls"
            )
            panel.set_ylim(0.75 * max(places), 1.05 * max(places))
            panel.set_title(name, loc="left", fontsize=9)
        panels[0].legend(fontsize=8, loc="center right")
        panels[-1].set_xlabel("minutes")
        return save({"capacity": figure}, out)[0]
