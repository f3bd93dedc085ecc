"""Prints the numbers of a report as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from webapi.voice_node.errors.plain_text import one_line, shortened
from webapi.voice_node.report.metrics_reader import MEASURES, WAIT
from webapi.voice_node.report.summary import BARGE_IN_STOP, STAGES, stage_name
from webapi.voice_node.report.turn_line import OUTCOMES

PIPED_COLUMNS = 100  # at least: in a pipe or a file no line is folded
COLUMNS = ("n", "p50", "p90", "p95", "p99", "max")
MAX_PARTS = 12  # an orchestrator may give each of its marks another name
MAX_NAME = 24  # characters of a part's
NODE_POINTS = ("p50", "p95")
NODE_COLUMNS = ("turns", "sessions", "completed", "failed", "barge-ins", "wait p50", "p95", "stop p50", "p95")
PART_COLUMNS = ("n", "p50", "p95")
WITHOUT_WAIT = "{n} of {turns} turns lack caller_wait_ms (an older version)"


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
    if numbers["ducked"]:
        restored, stopped = numbers["duck_restored"], numbers["duck_stopped"]
        console.print(f"ducked {numbers['ducked']}: loud again {restored}, stopped {stopped}")
    if numbers["without_wait"]:
        console.print(
            WITHOUT_WAIT.format(n=numbers["without_wait"], turns=numbers["turns"]), highlight=False, soft_wrap=True
        )
    for table in _tables(numbers):
        least = Measurement.get(console, console.options, table).minimum if console.is_terminal else PIPED_COLUMNS
        console.width = max(console.width, least)  # a label is folded between words, a number never
        console.print()
        console.print(table)


def _tables(numbers: dict[str, Any]) -> Iterator[Table]:
    """First what a caller waits, then the nodes where there are several, what the wait is made of, and the rest."""
    if numbers["measures"][WAIT]["n"]:
        table = _table("what a caller waits, in milliseconds", COLUMNS)
        table.add_row(MEASURES[WAIT], *_cells(numbers["measures"][WAIT], COLUMNS))
        yield table
    if len(numbers["nodes"]) > 1:
        yield _nodes(numbers["nodes"])
    if numbers["parts"]:
        yield _parts(numbers["parts"])
    yield _milliseconds(numbers)


def _nodes(nodes: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, title="by node, in milliseconds", title_justify="left")
    table.add_column("")
    for column in NODE_COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for name, node in nodes.items():
        outcomes, wait, stop = node["outcomes"], node[WAIT], node[BARGE_IN_STOP]
        failed = sum(outcomes.get(outcome, 0) for outcome in ("failed", "timeout"))
        counts = (node["turns"], node["sessions"], outcomes.get("completed", 0), failed, node["barge_ins"])
        spreads = (*_cells(wait, NODE_POINTS), *_cells(stop, NODE_POINTS))
        table.add_row(escape(part_name(name) or "–"), *map(str, counts), *spreads)
    return table


def _parts(parts: dict[str, dict[str, Any]]) -> Table:
    table = _table("what that wait is made of", PART_COLUMNS)
    table.add_column("owner")
    table.add_column("changed by")
    for name, part in list(parts.items())[:MAX_PARTS]:
        told = (part_name(name), *_cells(part, PART_COLUMNS), one_line(part["owner"]), one_line(part["setting"] or ""))
        table.add_row(*map(escape, told))
    if len(parts) > MAX_PARTS:
        table.add_row(f"… and {len(parts) - MAX_PARTS} more: see --json")
    return table


def part_name(name: str) -> str:
    """Return the name of a part for people; an orchestrator may call its marks anything."""
    return shortened(one_line(name), MAX_NAME)


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, title=title, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _cells(spread: dict[str, Any], columns: Sequence[str]) -> list[str]:
    return [f"{spread[column]:.0f}" if column in spread else "–" for column in columns]


def _milliseconds(numbers: dict[str, Any]) -> Table:
    table = _table("milliseconds", COLUMNS)
    measures = [(label, numbers["measures"][name]) for name, label in MEASURES.items() if name != WAIT]
    stages = [(f"{a[:2]} → {b[:2]}  {label}", numbers["stages"][stage_name(a, b)]) for (a, b), label in STAGES.items()]
    for group in (measures, stages):
        for label, spread in group:
            table.add_row(label, *_cells(spread, COLUMNS))
        table.add_section()
    return table
