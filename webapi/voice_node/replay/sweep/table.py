"""Prints the rows of a sweep as a table: one line for each cell."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from webapi.voice_node.replay.sweep.rows import Row

PIPED_COLUMNS = 400  # in a pipe or a file no line is folded
HEARD = {
    "starts": "starts",
    "ends": "ends",
    "barge_ins": "barge-\nins",
    "superseded": "super-\nseded",
    ("latency_ms_p50", "latency_ms_p95"): "answer\n+ms\np50/p95",
}
SCORED = {
    "found": "found",
    "missed": "missed",
    "late": "late",
    "splits": "splits",
    "false_starts": "false",
    "false_per_minute": "false\na min",
    "false_barge_ins": "false\nbarge-\nins",
    ("start_delay_ms_p50", "start_delay_ms_p95"): "start\n+ms\np50/p95",
    ("end_delay_ms_p50", "end_delay_ms_p95"): "end\n+ms\np50/p95",
}
LAST = tuple(SCORED)[-1]  # in the table that has it, the best rows are marked


def show(rows: Sequence[Row], names: Sequence[str], corpus: Sequence[tuple[float, bool]]) -> None:
    """Print the rows as one table where the terminal is wide enough, else as several.

    `corpus`: of each recording, its length in seconds and whether it is labelled.
    """
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_COLUMNS)
    labelled = [seconds for seconds, has_labels in corpus if has_labels]
    console.print(_counted([seconds for seconds, _ in corpus], "recording"), highlight=False)
    if not labelled:
        for table in _tables(console, rows, names, HEARD):
            _print(console, table)
        console.print("No labels beside the recordings, so nothing is said about right and wrong.", highlight=False)
        return
    whole = _table(rows, names, {**HEARD, **SCORED})
    if _columns(console, whole) <= console.width:
        _print(console, whole)
    else:
        for table in (*_tables(console, rows, names, HEARD), *_tables(console, rows, names, SCORED)):
            _print(console, table)
    onsets = next((row["onsets"] for row in rows if row["labelled"]), 0)
    without = len(corpus) - len(labelled)
    rest = f" Those without labels ({without}) count only up to `answer`." if without else ""
    console.print(
        f"Labelled: {_counted(labelled, 'recording')} with {onsets} {'onset' if onsets == 1 else 'onsets'}.{rest}\n"
        "★ the best trade-offs (Pareto front) of missed, false + splits, and median start + end.",
        highlight=False,
    )


def _tables(console: Console, rows: Sequence[Row], names: Sequence[str], columns: dict[Any, str]) -> list[Table]:
    """Return the columns in as few tables as fit the console; each has the settings again."""
    tables: list[Table] = []
    left = list(columns)
    while left:
        count = len(left)
        while count > 1 and _columns(console, _part(rows, names, columns, left[:count])) > console.width:
            count -= 1
        tables.append(_part(rows, names, columns, left[:count]))
        left = left[count:]
    return tables


def _part(rows: Sequence[Row], names: Sequence[str], columns: dict[Any, str], keys: Sequence[Any]) -> Table:
    return _table(rows, names, {key: columns[key] for key in keys})


def _columns(console: Console, table: Table) -> int:
    return Measurement.get(console, console.options.update(max_width=PIPED_COLUMNS), table).maximum


def _print(console: Console, table: Table) -> None:
    """Print a table at its full width: a narrow terminal may fold lines, but no number is cut off."""
    width = console.width
    console.width = max(width, _columns(console, table))
    console.print(table)
    console.width = width


def _table(rows: Sequence[Row], names: Sequence[str], columns: dict[Any, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for name in names:
        table.add_column(name.replace("_", "_\n"), justify="right", no_wrap=True)
    for head in columns.values():
        table.add_column(head, justify="right", no_wrap=True)
    stars = LAST in columns
    if stars:
        table.add_column("", no_wrap=True)
    for row in rows:
        cells = [row[name] for name in names] + [_cell(row, key) for key in columns]
        best = stars and row["best"]
        table.add_row(*cells, *(["★" if best else ""] if stars else []), style="bold" if best else None)
    return table


def _cell(row: Row, key: Any) -> str:
    if isinstance(key, tuple):
        return "/".join(_number(row[part]) for part in key)
    return _number(row[key], ".1f" if key == "false_per_minute" else ".0f")


def _number(value: float | None, form: str = ".0f") -> str:
    return "–" if value is None else format(value, form)


def _counted(seconds: Sequence[float], what: str) -> str:
    minutes = f"{sum(seconds) / 60:.1f} minutes" if sum(seconds) >= 60 else f"{sum(seconds):.1f} seconds"
    return f"{len(seconds)} {what if len(seconds) == 1 else what + 's'}, {minutes}"
