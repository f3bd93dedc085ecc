"""The rules that no linter knows: one clock, small files, nothing of the machine in the repository."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NODE = ROOT / "webapi" / "voice_node"
IN_THE_GRAPH = [
    *sorted((NODE / "operators").glob("*.py")),
    *(
        NODE / f"{name}.py"
        for name in ("events", "turns", "graph_reader", "pipeline", "speaker", "desk", "context", "fir")
    ),
]
CLOCKS = {"time", "datetime", "threading", "concurrent", "sched", "random", "secrets", "uuid"}
WAITS = {"sleep", "now", "monotonic", "perf_counter", "monotonic_ns"}
LONGEST = 400  # lines; a longer file is asking to be two


def clock_uses(source: str) -> list[str]:
    """What in the source reads a clock, waits, or takes chance: imports of such modules, and calls like `.sleep()`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in CLOCKS]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in CLOCKS:
            found.append(str(node.module))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WAITS:
            found.append(ast.unparse(node.func))
    return found


@pytest.mark.parametrize("path", IN_THE_GRAPH, ids=lambda path: path.name)
def test_nothing_in_the_graph_reads_a_clock_or_waits(path: Path) -> None:
    allowed = {"asyncio.sleep"} if path.name == "pipeline.py" else set()  # sleep(0) when a session closes
    assert set(clock_uses(path.read_text())) <= allowed


def test_the_rule_sees_what_it_is_for() -> None:
    assert clock_uses("import time") == ["time"]
    assert clock_uses("from datetime import datetime") == ["datetime"]
    assert clock_uses("import asyncio\nawait asyncio.sleep(1)") == ["asyncio.sleep"]
    assert clock_uses("from webapi.voice_node.events import seconds") == []


@pytest.mark.parametrize("path", sorted(NODE.rglob("*.py")), ids=lambda path: path.name)
def test_files_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


def tracked() -> list[Path]:
    """Every text file of the repository."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in names.split("\0") if name]
    return [p for p in paths if p.suffix not in (".png", ".wav", ".svg") and p.is_file()]


def test_nothing_of_a_machine_or_of_a_registry_is_in_the_repository() -> None:
    home = re.compile(r"(?<![\w.~$])/(?:home|Users|root)/\w")
    registry = re.compile(r"https?://[\w.-]*(?:pypi|npmjs|artifactory|nexus|goproxy|registry)[\w.-]*", re.IGNORECASE)
    checkout = str(ROOT.parent) + "/"
    wrong = []
    for path in tracked():
        if path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8")
        if home.search(text) or registry.search(text) or (len(checkout) > 5 and checkout in text):
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []
