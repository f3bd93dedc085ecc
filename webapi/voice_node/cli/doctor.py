"""The command `doctor`: checks everything that the node needs, and prints what to do about each failure."""

from __future__ import annotations

import textwrap

import typer

from webapi.voice_node.cli.options import Graph, Set, settings_from
from webapi.voice_node.config import Settings

INDENT = 22  # columns for the state and the name
COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(graph: Graph = None, set_: Set = None) -> None:
    """Check Python, packages, server, port, graph and VAD backends, and say what to do about each failure."""
    raise typer.Exit(print_checks(settings_from(set_, voice_graph=graph)))


def print_checks(settings: Settings) -> int:
    """Run every check and print what it found. Returns 0, or 1 where a check fails."""
    from rich.console import Console
    from rich.text import Text

    from webapi.voice_node.cli.checks.run import run_checks

    checks = run_checks(settings)
    console = Console()
    for check in checks:
        what_to_do = [f"→ {check.advice}"] if check.advice else []
        found = "\n".join(_wrapped(line, console.width) for line in [*check.found.splitlines(), *what_to_do])
        state = (f"{check.state:6}", COLOURS[check.state])
        console.print(Text.assemble(state, f"{check.name:{INDENT - 6}}{found.lstrip()}"), soft_wrap=True)
    return 1 if any(check.state == "fail" for check in checks) else 0


def _wrapped(line: str, width: int) -> str:
    """Wrap a line and indent it below the others. It is wrapped at spaces alone, so that a path can be copied."""
    indent = " " * INDENT
    return textwrap.fill(
        line, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
