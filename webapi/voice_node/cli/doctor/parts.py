"""Checks of the parts of a graph's conversation: the package, the key, the server, the model."""

from __future__ import annotations

import asyncio

from webapi.voice_node.cli.doctor.result import CheckResult
from webapi.voice_node.config import Settings
from webapi.voice_node.converse.check_parts import TriedPart, try_parts
from webapi.voice_node.converse.part_names import ROLES
from webapi.voice_node.converse.parts import PartError
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.graph.parts import parts_of

MEND = "Correct the part in the graph"


def check_parts(settings: Settings) -> list[CheckResult]:
    """Each part of the graph can be made and opened. Nothing for a graph without parts, or that does not load."""
    try:
        parts = parts_of(load_and_check(settings.voice_graph, settings))
    except UserError:
        return []  # check_graph or check_orchestrator says why
    return [_result(each) for each in asyncio.run(try_parts(parts))]


def _result(tried: TriedPart) -> CheckResult:
    name = ROLES[tried.role]
    error = tried.error
    if isinstance(error, PartError):
        return CheckResult(name, "fail", f"{error.part}: {error.what}", error.remedy)
    if error:
        return CheckResult(name, "fail", str(error), MEND)
    if tried.doubt:
        return CheckResult(name, "warn", f"{tried.label} answers", tried.doubt)
    return CheckResult(name, "ok", f"{tried.label} is ready")
