"""The picture of a run: what each rule finds, what it starts falsely, and how late it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.hearing.score import Tally, interval, total

COLOURS = ("#8c959f", "#54aeff", "#1a7f37", "#aceebb", "#4ac26b", "#bf8700", "#d4a72c", "#cf222e")
FEW = 5  # % found: of a rule that is always later than that, what it finds says nothing
SNRS = ("0 dB", "5 dB", "10 dB", "20 dB", "clean")


def draw(tallies: Mapping[str, Mapping[str, Sequence[Tally]]], path: Path) -> None:
    """Write it, the same bytes for the same figures."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "voice_node", "font.size": 9}):
        made = Figure(figsize=(11, 7.2), layout="constrained")
        (dots, snr), (late, false) = made.subplots(2, 2)
        for colour, (rule, groups) in zip(COLOURS, tallies.items(), strict=True):
            at_10 = groups["10 dB"]
            false.plot(SNRS, [total(groups[g]).values["false"] for g in SNRS], "o-", color=colour, markersize=4)
            if total(at_10).values["found"] < FEW:
                continue
            x, y = total(at_10).values["false"], total(at_10).values["found"]
            x_low, x_high = interval(at_10, lambda t: t.values["false"])
            y_low, y_high = interval(at_10, lambda t: t.values["found"])
            bars = [[max(0, x - x_low)], [max(0, x_high - x)]], [[max(0, y - y_low)], [max(0, y_high - y)]]
            dots.errorbar(x, y, xerr=bars[0], yerr=bars[1], fmt="o", color=colour, capsize=2, label=rule)
            snr.plot(SNRS, [total(groups[g]).values["found"] for g in SNRS], "o-", color=colour, markersize=4)
        names = list(tallies)[::-1]
        for row, (colour, rule) in enumerate(zip(COLOURS[len(names) - 1 :: -1], names, strict=True)):
            values = total(tallies[rule]["10 dB"]).values
            if values["found"] < FEW:
                late.text(5, row, "later than 300 ms", va="center", color=COLOURS[0])
                continue
            late.barh(row, values["p95"], color=colour, alpha=0.35)
            late.barh(row, values["delay"], color=colour)
        dots.set(xlabel="false starts a minute", ylabel="onsets found within 300 ms, %", title="10 dB, five noises")
        dots.set_xscale("symlog", linthresh=0.1)
        dots.set_xlim(left=0)
        dots.legend(fontsize=8)
        snr.set(title="onsets found, %")
        false.set(title="false starts a minute")
        false.set_yscale("symlog", linthresh=0.1)
        late.set(title="first sound to decision at 10 dB, ms: median, 95th percentile")
        late.set_yticks(range(len(names)), names)
        for axes in (dots, snr, late, false):
            axes.grid(alpha=0.3)
            axes.set_axisbelow(True)
        made.savefig(path, metadata={"Date": None})
