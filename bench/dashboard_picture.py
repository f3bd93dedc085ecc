"""Draws the panels of a Grafana dashboard from a Prometheus' answers, each where the dashboard has it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMNS = 24
WIDTH_IN, ROW_IN = 16.0, 0.36
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A6D00", "#555555")
MIB = 1 << 20


@dataclass
class Answer:
    """What Prometheus answered to one query of a panel."""

    panel: int
    title: str
    expression: str
    legend: str
    must_answer: bool
    series: list[tuple[dict[str, str], list[tuple[float, str]]]]  # labels, and (Unix time, value)


def draw(dashboard: dict[str, Any], answers: list[Answer], path: Path) -> Path:
    """Write the picture to `path`, and return that."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = Figure(figsize=(WIDTH_IN, rows * ROW_IN))
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        bottom = 1 - (place["y"] + place["h"]) / rows
        if panel["type"] == "row":
            figure.text(0.012, bottom + 0.3 / rows, panel["title"], fontsize=13, weight="bold")
            continue
        given = [answer for answer in answers if answer.panel == panel["id"]]
        left, width, height = place["x"] / COLUMNS, place["w"] / COLUMNS, place["h"] / rows
        if panel["type"] == "stat":
            axes = figure.add_axes((left + 0.01, bottom + 0.2 / rows, width - 0.02, height - 0.4 / rows))
            _stat(axes, panel, given)
        else:
            axes = figure.add_axes((left + 0.035, bottom + 1.0 / rows, width - 0.05, height - 2.2 / rows))
            _lines(axes, panel, given)
    figure.savefig(path, dpi=80)
    return path


def _stat(axes: Axes, panel: dict[str, Any], answers: list[Answer]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    values = [float(points[-1][1]) for answer in answers for _, points in answer.series]
    colour = "black"
    for step in defaults["thresholds"]["steps"]:
        if values and (step["value"] is None or values[0] >= step["value"]):
            colour = {"green": "#007a3d", "orange": "#b35c00", "red": "#b00020"}[step["color"]]
    shown = _with_unit(values[0], defaults["unit"]) if values else "no data"
    axes.text(0.5, 0.35, shown, ha="center", va="center", fontsize=26, color=colour)
    axes.text(0.5, 0.86, panel["title"], ha="center", va="center", fontsize=10)
    axes.set(xticks=[], yticks=[])


def _lines(axes: Axes, panel: dict[str, Any], answers: list[Answer]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    series = []
    for answer in answers:
        for labels, points in answer.series:
            series.append((_named(answer.legend, labels), {at: float(value) for at, value in points}))
    began_s = min((at for _, points in series for at in points), default=0.0)
    times = sorted({at for _, points in series for at in points})
    scale = MIB if defaults["unit"] == "bytes" else 1.0
    x = [at - began_s for at in times]
    columns = [[points.get(at, math.nan) / scale for at in times] for _, points in series]
    if stacked and columns:
        filled = [[0.0 if math.isnan(value) else value for value in column] for column in columns]
        axes.stackplot(x, filled, labels=[name for name, _ in series], colors=COLOURS, alpha=0.8)
    else:
        for number, ((name, _), column) in enumerate(zip(series, columns, strict=True)):
            axes.plot(x, column, label=name, color=COLOURS[number % len(COLOURS)], linewidth=1.2)
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is not None:
            axes.axhline(step["value"], color="#b00020", linewidth=0.8, linestyle="--")
    axes.set_title(panel["title"], fontsize=10, loc="left")
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    unit = {"s": "s", "bytes": "MiB", "percentunit": "share"}.get(defaults["unit"], "")
    axes.set_ylabel(unit, fontsize=8)
    axes.grid(alpha=0.3)
    if series:
        axes.legend(fontsize=7, loc="upper left", ncols=2 if len(series) > 3 else 1)
    else:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center")


def _named(legend: str, labels: dict[str, str]) -> str:
    """The legend of a series: `{{label}}` becomes the label's value."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], "–"), legend)


def _with_unit(value: float, unit: str) -> str:
    return f"{value * 100:.1f} %" if unit == "percentunit" else f"{value:g}"
