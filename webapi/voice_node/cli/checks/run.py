"""Runs all checks."""

from __future__ import annotations

from collections.abc import Callable

from webapi.voice_node.cli.checks.machine import check_extras, check_packages, check_python
from webapi.voice_node.cli.checks.node import check_files, check_graph, check_orchestrator, check_vad
from webapi.voice_node.cli.checks.page import check_client_library, check_web_port
from webapi.voice_node.cli.checks.result import CheckResult
from webapi.voice_node.cli.checks.server import check_key, check_server
from webapi.voice_node.config import Settings

CHECKS: tuple[Callable[[Settings], CheckResult], ...] = (
    check_python,
    check_packages,
    check_extras,
    check_server,
    check_key,
    check_graph,
    check_orchestrator,
    check_vad,
    check_files,
    check_web_port,
    check_client_library,
)


def run_checks(settings: Settings) -> list[CheckResult]:
    """Run every check, in order."""
    return [_run(check, settings) for check in CHECKS]


def _run(check: Callable[[Settings], CheckResult], settings: Settings) -> CheckResult:
    """Return the result of a check; a failure where the check itself raises, because of a broken library perhaps."""
    try:
        return check(settings)
    except Exception as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        return CheckResult(
            name, "fail", f"the check itself broke: {type(error).__name__}: {error}", "Please report this."
        )
