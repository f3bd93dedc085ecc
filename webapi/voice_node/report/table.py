"""Prints the numbers of a report as tables."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from webapi.voice_node.report.metrics_reader import MEASURES
from webapi.voice_node.report.summary import STAGES, stage_name
from webapi.voice_node.report.turn_line import OUTCOMES

PIPED_COLUMNS = 100  # at least: in a pipe or a file no line is folded
COLUMNS = ("n", "p50", "p90", "p95", "p99", "max")


def show(numbers: dict[str, Any], console: Console | None = None) -> None:
    """Print what `summary` returns."""
    console = console or Console()
    counts = [(numbers[name], name if numbers[name] != 1 else name[:-1]) for name in ("turns", "sessions")]
    console.print(", ".join(f"{n} {what}" for n, what in counts))
    if numbers["prompts"]:
        said = "  ".join(f"{escape(outcome)} {n}" for outcome, n in numbers["prompts"].items())
        console.print(f"prompts: {said}", highlight=False)
    if not numbers["turns"]:
        return
    outcomes = numbers["outcomes"]
    known = [name for name in OUTCOMES if name in outcomes] + sorted(outcomes.keys() - set(OUTCOMES))
    console.print("  ".join(f"{escape(name)} {outcomes[name]}" for name in known), highlight=False)
    ends = "  ".join(f"{escape(str(end))} {n}" for end, n in sorted(numbers["speech_ends"].items()))
    if ends:
        console.print(f"speech ended by: {ends}", highlight=False)
    console.print(f"barge-ins {numbers['barge_ins']}, playbacks cancelled {numbers['playbacks_cancelled']}")
    table = _milliseconds(numbers)
    least = Measurement.get(console, console.options, table).minimum if console.is_terminal else PIPED_COLUMNS
    console.width = max(console.width, least)  # a label is folded between words, a number never
    console.print(table)


def _milliseconds(numbers: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, title="milliseconds", title_justify="left")
    table.add_column("")
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    measures = [(label, numbers["measures"][name]) for name, label in MEASURES.items()]
    stages = [(f"{a[:2]} → {b[:2]}  {label}", numbers["stages"][stage_name(a, b)]) for (a, b), label in STAGES.items()]
    for group in (measures, stages):
        for label, spread in group:
            cells = [f"{spread[c]:.0f}" if c in spread else "–" for c in COLUMNS]
            table.add_row(label, *cells)
        table.add_section()
    return table
