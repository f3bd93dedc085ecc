"""The plot of a sweep: what each cell misses against what it detects wrongly; without labels, its counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from webapi.voice_node.replay.sweep.rows import Row, costs, unwanted
from webapi.voice_node.report.plotting import Figure, MaxNLocator, save, style

MAX_SHOWN = 200  # in a picture of rows: 45 inches
MAX_LABELS, MAX_LABEL = 6, 32  # lines at a ring, and characters of a line
PANELS = (("starts", "speech starts"), ("barge_ins", "barge-ins"), ("latency_ms_p50", "median ms to the answer"))


def draw(rows: Sequence[Row], names: Sequence[str], out: Path) -> list[Path]:
    """Write sweep.png and sweep.svg into `out` and return their paths. Raises UserError where that is impossible."""
    with style():
        return save({"sweep": trade(rows, names) if rows[0]["labelled"] else counts(rows, names)}, out)


def trade(rows: Sequence[Row], names: Sequence[str]) -> Figure:
    """Plot a dot for each cell: x is what was detected wrongly, y how long it took, the colour what was missed."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    shown = [row for row in rows if costs(row)[2] < math.inf]  # where no onset was found there is no delay
    missed = [row["missed"] for row in shown]
    spots: dict[tuple[float, float], list[str]] = {}
    for row in shown:
        if row["best"]:
            spots.setdefault((unwanted(row), costs(row)[2]), []).append(", ".join(row[name] for name in names))
    dots = axes.scatter(
        [unwanted(row) for row in shown],
        [costs(row)[2] for row in shown],
        c=missed,
        s=[70 if row["best"] else 25 for row in shown],
        edgecolors=["black" if row["best"] else "none" for row in shown],
        cmap="viridis_r",
        zorder=3,
    )
    if len(set(missed)) > 1:
        figure.colorbar(dots, ax=axes, label="onsets missed", ticks=MaxNLocator(integer=True))
    widest, tallest = (max((spot[i] for spot in spots), default=0) for i in range(2))
    for spot, here in spots.items():
        right, above = spot[0] <= widest / 2, spot[1] <= tallest / 2  # else the words would leave the plot
        axes.annotate(
            _few(here),
            spot,
            xytext=(7 if right else -7, 5 if above else -5),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if above else "top",
            fontsize=8,
        )
    axes.set(xlabel="starts that should not be: false ones and splits", ylabel="ms lost at start and end (medians)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(0.12)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    same = f", {missed[0]} onsets missed in each" if len(set(missed)) == 1 else ""
    figure.suptitle("What each cell of the sweep gets wrong, and how long it takes")
    axes.set_title(f"{len(rows)} cells{same}. Ringed: the best trade-offs (Pareto front)", fontsize=10)
    names_below = ",\n".join(names)
    axes.text(
        0.99, 0.97, f"numbers at the rings:\n{names_below}", transform=axes.transAxes, ha="right", va="top", fontsize=8
    )
    return figure


def counts(rows: Sequence[Row], names: Sequence[str]) -> Figure:
    """Plot a row for each cell and a panel for each number; of many cells, the first MAX_SHOWN."""
    of, rows = len(rows), rows[:MAX_SHOWN]
    figure = Figure(figsize=(9, 1.4 + 0.22 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (key, title) in zip(panels, PANELS, strict=True):
        axes.barh(range(len(rows)), [row[key] or 0 for row in rows], height=0.7, color="#0072B2")
        axes.set_title(title, fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlim(left=0)
    panels[0].set_yticks(range(len(rows)), [", ".join(row[name] for name in names) for row in rows], fontsize=8)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    panels[0].set_ylabel(", ".join(names), fontsize=8)
    left_out = f": the first {len(rows)} of {of} cells (sweep.csv has all)" if of > len(rows) else ""
    figure.suptitle(f"What each cell of the sweep heard{left_out}")
    return figure


def _few(labels: Sequence[str]) -> str:
    """The labels of cells with the same result, a line each: so many that they stay in the plot."""
    cut = [each if len(each) <= MAX_LABEL else each[: MAX_LABEL - 1] + "…" for each in labels]
    return "\n".join(cut[:MAX_LABELS] + ([f"and {len(cut) - MAX_LABELS} more"] if len(cut) > MAX_LABELS else []))
