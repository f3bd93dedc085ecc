"""The picture of a barge-in: where the milliseconds go, and what the caller hears meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bench.measures import Result

STYLE: Any = {  # Any: matplotlib's type for it is the list of its 300 names
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "voice-node",
    "font.size": 10,
}
# Colours that the colour-blind tell apart.
PARTS = (
    ("way_in", "to the node:\n20 ms frame, Opus,\njitter buffer", "#56B4E9"),
    ("rule", "first to sixth\nvoiced frame", "#E69F00"),
    ("flush", "", "#D55E00"),
    ("way_out", "back to the caller:\njitter buffer,\n10 ms fade", "#009E73"),
)
FULL_SCALE = 32768.0
FLOOR_DB = -80.0


def draw(result: Result, out: Path) -> list[Path]:
    """Write barge_in.png and barge_in.svg into `out`; their paths."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.3))
        left = 0.0
        for name, label, colour in PARTS:
            width = result.median(name)
            above.barh(0, width, left=left, height=0.5, color=colour)
            above.text(left + width / 2, 0.34, f"{width:.0f} ms\n{label}" if label else "", ha="center", va="bottom")
            if not label:
                above.annotate(
                    f"the node: {width:.1f} ms", (left + width / 2, -0.25), xytext=(0, -14),
                    textcoords="offset points", ha="center", va="top", color=colour, weight="bold",
                )  # fmt: skip
            left += width
        above.set(ylim=(-0.8, 1.45), yticks=[])
        above.spines["left"].set_visible(False)
        above.set_title(f"A barge-in: silent {result.median('silence'):.0f} ms after the caller's first sample", pad=12)
        for turn in result.recorded:
            at_ms = np.array([at for at, _ in turn.around])
            level = np.array([rms for _, rms in turn.around])
            decibels = 20 * np.log10(np.maximum(level / FULL_SCALE, 10 ** (FLOOR_DB / 20)))
            below.step(at_ms, decibels, where="post", color="#0072B2", alpha=0.3, linewidth=0.8)
        below.axvline(result.median("silence"), color="black", linewidth=0.8, linestyle=":")
        below.set(xlim=(-60, 400), ylim=(FLOOR_DB, 0), ylabel="bot at the caller, dBFS")
        below.set_xlabel(f"ms since the caller's first sample; medians, and each line one of {len(result.turns)} turns")
        paths = []
        for kind, metadata in (("png", {}), ("svg", {"Date": None})):
            paths.append(out / f"barge_in.{kind}")
            figure.savefig(paths[-1], dpi=150, metadata=metadata)
    return paths
