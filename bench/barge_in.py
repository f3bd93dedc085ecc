"""How fast the node falls silent and answers, live: `python -m bench.barge_in`. Exit code 1 where a goal is missed."""

from __future__ import annotations

import asyncio
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.live_call import record
from bench.measures import MEASURES, Result, measure
from bench.picture import draw

LEAST = 0.5  # of the turns must be left: medians of what a machine that stands still leaves over say nothing


def main(
    turns: Annotated[int, typer.Option(min=1, help="How many barge-ins.")] = 30,
    url: Annotated[str | None, typer.Option(help="A LiveKit server with the dev key; without, one is started.")] = None,
    out: Annotated[Path, typer.Option(help="A folder for barge_in.json and the picture.")] = Path("bench/out"),
) -> None:
    """Measure the node's own share of a barge-in and of an answer, against a real server with a real caller."""
    console = Console()
    result = measure(asyncio.run(record(turns, url, lambda line: console.print(line, style="dim"))))
    if len(result.turns) < LEAST * result.seen:
        console.print(
            f"Only {len(result.turns)} of {result.seen} turns are left ({losses(result)}): this says nothing."
        )
        raise typer.Exit(1)
    console.print(table(result))
    console.print(losses(result), soft_wrap=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / "barge_in.json").write_text(json.dumps(as_json(result), indent=1) + "\n")
    draw(result, out)
    for goal in result.missed():
        console.print(f"Missed: {goal.name}, median {result.median(goal.name):.1f} ms, goal {goal.goal_ms:g} ms")
    raise typer.Exit(1 if result.missed() else 0)


def table(result: Result) -> Table:
    """All measures with median, 95th percentile and goal."""
    shown = Table(title=f"{len(result.turns)} barge-ins, ms")
    shown.add_column("")
    shown.add_column("from → to")
    for column in ("median", "p95", "goal"):
        shown.add_column(column, justify="right")
    for each in MEASURES:
        numbers = (f"{result.median(each.name):.1f}", f"{result.p95(each.name):.1f}")
        shown.add_row(each.name, each.what, *numbers, "" if each.goal_ms is None else f"≤ {each.goal_ms:g}")
    return shown


def losses(result: Result) -> str:
    """How many turns don't count, and why."""
    share = 100 * result.stalled / result.seen
    said = f"{result.calls} calls, {result.seen} turns; dropped for stalls: {result.stalled} ({share:.0f} %)"
    return said + (f"; no clean barge-in: {result.odd}" if result.odd else "")


def as_json(result: Result) -> dict[str, Any]:
    """The same for programs, with every turn."""
    return {
        "python": platform.python_version(),
        "livekit": version("livekit"),
        "calls": result.calls,
        "turns_seen": result.seen,
        "turns_stalled": result.stalled,
        "turns_odd": result.odd,
        "measures": {
            each.name: {
                "what": each.what,
                "median_ms": round(result.median(each.name), 2),
                "p95_ms": round(result.p95(each.name), 2),
                "goal_ms": each.goal_ms,
            }
            for each in MEASURES
        },
        "turns": result.turns,
    }


if __name__ == "__main__":
    typer.run(main)
