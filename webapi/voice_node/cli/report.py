"""The command `report`: percentiles and plots of metrics.jsonl."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

MAX_PROBLEMS = 10  # that are printed


def report(
    metrics: Annotated[list[Path], typer.Argument(metavar="METRICS…", help="metrics.jsonl files.")],
    out: Annotated[Path | None, typer.Option(help="A folder for pictures (PNG and SVG).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Numbers for programs.")] = False,
) -> None:
    """Percentiles and pictures of metrics.jsonl."""
    raise typer.Exit(print_report(metrics, out, json))


def print_report(paths: Sequence[str | Path], out: Path | None = None, as_json: bool = False) -> int:
    """Print the numbers of the files (`-`: standard input), and with `out` write plots into that folder.

    Lines that are no turns are named on stderr, by file and line, and those that a file before has too are counted
    there. Returns 0, or 1 where there were lines and none was a turn. Raises UserError for a file that can't be read
    or is no metrics.jsonl, and for `out` without matplotlib.
    """
    import json
    from collections import Counter

    from webapi.voice_node.report.metrics_reader import read_turns
    from webapi.voice_node.report.summary import summary
    from webapi.voice_node.report.table import show

    problems: list[str] = []
    repeated: Counter[str] = Counter()
    turns = list(read_turns(paths, problems, repeated))
    for problem in problems[:MAX_PROBLEMS]:
        print(problem, file=sys.stderr)
    if len(problems) > MAX_PROBLEMS:
        print(f"… and {len(problems) - MAX_PROBLEMS} more lines like these", file=sys.stderr)
    for name, lines in repeated.items():
        print(f"{name}: {lines} of its lines are in a file before it too, and count once", file=sys.stderr)
    numbers = summary(turns, skipped=len(problems), repeated=repeated.total())
    if as_json:
        print(json.dumps(numbers, indent=2))
    else:
        show(numbers)
    if out is not None and turns:
        from webapi.voice_node.report.plots import draw  # here: matplotlib is an extra, and slow to import

        for path in draw(turns, out):
            print(f"wrote {path}", file=sys.stderr)
    return 1 if problems and not turns else 0
