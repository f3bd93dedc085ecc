"""Runs every check, and prints the results as a table."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TypeAlias

from rich.console import Console
from rich.text import Text

from webapi.voice_node.cli.doctor.livekit_server import check_key, check_server
from webapi.voice_node.cli.doctor.machine import check_extras, check_packages, check_python
from webapi.voice_node.cli.doctor.node import check_files, check_graph, check_orchestrator, check_vad
from webapi.voice_node.cli.doctor.page import check_client_library, check_web_port
from webapi.voice_node.cli.doctor.parts import check_parts
from webapi.voice_node.cli.doctor.result import CheckResult
from webapi.voice_node.config import Settings

INDENT = 22  # columns of state and name
COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}
Check: TypeAlias = Callable[[Settings], CheckResult | list[CheckResult]]
CHECKS: tuple[Check, ...] = (
    check_python,
    check_packages,
    check_extras,
    check_server,
    check_key,
    check_graph,
    check_orchestrator,
    check_parts,
    check_vad,
    check_files,
    check_web_port,
    check_client_library,
)


def doctor(settings: Settings) -> int:
    """Run every check and print its result. Returns the exit code: 0, or 1 where a check fails."""
    checks = [result for check in CHECKS for result in _run(check, settings)]
    console = Console()
    for check in checks:
        what_to_do = [f"→ {check.advice}"] if check.advice else []
        found = "\n".join(_wrapped(line, console.width) for line in [*check.found.splitlines(), *what_to_do])
        state = (f"{check.state:6}", COLOURS[check.state])
        console.print(Text.assemble(state, f"{check.name:{INDENT - 6}}{found.lstrip()}"), soft_wrap=True)
    return 1 if any(check.state == "fail" for check in checks) else 0


def _wrapped(line: str, width: int) -> str:
    """A line of a result, indented and wrapped at spaces only, so that a path can be copied."""
    indent = " " * INDENT
    return textwrap.fill(
        line, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _run(check: Check, settings: Settings) -> list[CheckResult]:
    """The check's results; a failure where the check itself raises, as it may need what is broken on this machine."""
    try:
        found = check(settings)
        return found if isinstance(found, list) else [found]
    except Exception as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        broke = f"the check itself broke: {type(error).__name__}: {error}"
        return [CheckResult(name, "fail", broke, "Please report this.")]
