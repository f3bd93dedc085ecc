"""The rules that no linter knows: one clock, small files, nothing of the machine in the repository."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NODE = ROOT / "webapi" / "voice_node"
PACKAGES = ("events", "audio", "graph", "hearing", "operators", "playback", "reactive", "reply")
MODULES = ("audio_io", "context", "end_of_turn", "inputs", "pipeline", "vad")
MAY_WAIT = (
    "chunk_reader.py",
    "filler.py",
    "pacing.py",
)  # they run in tasks of the session's loop: asyncio.sleep is its clock
IN_THE_GRAPH = [
    *(path for package in PACKAGES for path in sorted((NODE / package).rglob("*.py")) if path.name not in MAY_WAIT),
    *(NODE / f"{name}.py" for name in MODULES),
]
CLOCKS = {"time", "datetime", "threading", "concurrent", "sched", "random", "secrets", "uuid"}
WAITS = {"sleep", "now", "monotonic", "perf_counter", "monotonic_ns"}
MAX_LINES = {".py": 320}  # of a file; a longer one has more than one job
MAX_OTHER_LINES = 400  # of a script, style sheet or page
MAX_FUNCTION_LINES = 60
MAX_ENTRIES = 35  # modules, packages and files at the top of the package


def clock_uses(source: str) -> list[str]:
    """What in the source reads a clock, waits, or takes chance: imports of such modules, and calls like `.sleep()`.

    `asyncio.sleep(0)` waits for nothing but the loop's next round, and is allowed.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in CLOCKS]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [f"{module}.{a.name}" for a in node.names if a.name in WAITS]
            found += [module] if module.split(".")[0] in CLOCKS else names
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WAITS:
            found += [] if ast.unparse(node) == "asyncio.sleep(0)" else [ast.unparse(node)]
    return found


@pytest.mark.parametrize("path", IN_THE_GRAPH, ids=lambda path: path.name)
def test_nothing_in_the_graph_reads_a_clock_or_waits(path: Path) -> None:
    assert clock_uses(path.read_text(encoding="utf-8")) == []


def test_the_rule_sees_what_it_is_for() -> None:
    assert clock_uses("import time") == ["time"]
    assert clock_uses("from datetime import datetime") == ["datetime"]
    assert clock_uses("import asyncio\nawait asyncio.sleep(1)") == ["asyncio.sleep(1)"]
    assert clock_uses("from asyncio import sleep") == ["asyncio.sleep"]
    assert clock_uses("import asyncio\nawait asyncio.sleep(0)") == []
    assert clock_uses("from webapi.voice_node.events import seconds") == []


def imported(source: str) -> set[str]:
    """The packages that the source imports, at the top or inside a function."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [a.name for node in nodes if isinstance(node, ast.Import) for a in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


def test_only_the_room_and_the_worker_import_livekit() -> None:
    # node/worker/ is made of livekit-agents: it registers with LiveKit, and gets its jobs by that package's types.
    found = [path for path in NODE.rglob("*.py") if "livekit" in imported(path.read_text(encoding="utf-8"))]
    assert NODE / "room" / "tokens.py" in found
    allowed = (NODE / "room", NODE / "node" / "worker", NODE / "hearing" / "echo_canceller.py")
    assert [str(path) for path in found if not any(path.is_relative_to(each) for each in allowed)] == []


def ours() -> list[Path]:
    """The files of the package that people write."""
    kinds = (".py", ".js", ".css", ".html")
    return [path for path in tracked() if path.suffix in kinds and path.is_relative_to(ROOT / "webapi")]


def test_files_are_small() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ours()}
    assert len(lengths) > 40
    long = {path: lines for path, lines in lengths.items() if lines > MAX_LINES.get(path.suffix, MAX_OTHER_LINES)}
    assert {str(path.relative_to(NODE.parent)): lines for path, lines in long.items()} == {}


def function_lengths(source: str) -> dict[str, int]:
    """The functions of the source with their numbers of lines: without the docstring, with the functions inside."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            documented = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
            found[node.name] = (node.end_lineno or 0) - node.lineno + 1 - documented
    return found


def test_functions_are_short() -> None:
    long = {
        f"{path.name}: {name}": lines
        for path in sorted(NODE.rglob("*.py"))
        for name, lines in function_lengths(path.read_text(encoding="utf-8")).items()
        if lines > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_the_length_of_a_function_is_that_of_its_code() -> None:
    source = 'def outer():\n    """Two\n    lines."""\n\n    def inner():\n        pass\n\n    return inner\n'
    assert function_lengths(source) == {"outer": 6, "inner": 2}


def test_the_package_has_few_entries() -> None:
    entries = {path.relative_to(NODE).parts[0] for path in tracked() if path.is_relative_to(NODE)}
    assert len(entries) <= MAX_ENTRIES, sorted(entries)


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


# ---------------------------------------------------------------- the names that docstrings and comments give

FILE = re.compile(r"[\w./-]*\w\.py\b")  # "hearing/onset.py"
MEMBER = re.compile(r"\b((?:[a-z_]+\.)+)([A-Z]\w+)\b")  # "node.live_session.LiveSession", "events.Frame"
MADE_UP = {"mybot.py"}  # a user's


def words(source: str) -> Iterator[str]:
    """The docstrings and comments of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""


def strangers(source: str, modules: dict[str, str]) -> list[str]:
    """What the docstrings and comments of `source` name that is not there: files, and members of our modules.

    `modules`: the texts of all modules, by path.
    """
    found = []
    known = {part for path in modules for part in path.removesuffix(".py").split("/")}
    for text in words(source):
        named = set(FILE.findall(text)) - MADE_UP
        found += [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in modules)]
        for dotted, member in MEMBER.findall(text):
            module = dotted.rstrip(".").replace(".", "/")
            texts = [modules[p] for p in modules if f"/{p}".endswith((f"/{module}.py", f"/{module}/__init__.py"))]
            if module.split("/")[0] in known and not any(re.search(rf"\b{member}\b", each) for each in texts):
                found.append(dotted + member)
    return found


def test_docstrings_and_comments_name_what_there_is() -> None:
    modules = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in tracked() if p.suffix == ".py"}
    wrong = {path: named for path, text in modules.items() if (named := strangers(text, modules))}
    assert wrong == {}


def test_the_rule_on_names_sees_what_it_is_for() -> None:
    modules = {"webapi/voice_node/hearing/onset.py": "class Onset: ...", "webapi/voice_node/events.py": "Frame = 1"}
    right = '"""See onset.py, hearing/onset.py, onset.Onset and events.Frame."""  # not asyncio.Queue'
    assert strangers(right, modules) == []
    wrong = '"""See echo_watch.py and hearing/gone.py."""\n# as events.Gone has it, or gone/onset.py'
    assert sorted(strangers(wrong, modules)) == ["echo_watch.py", "events.Gone", "gone/onset.py", "hearing/gone.py"]
