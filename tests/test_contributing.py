"""The operator of CONTRIBUTING.md works as it is written there, in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
NEW = ("webapi/voice_node/operators/volume.py", "tests/operators/test_volume.py")
CHANGED = "webapi/voice_node/operators/__init__.py"
TESTS = (
    "tests/operators/test_volume.py",
    "tests/graph/test_schema.py",
    "tests/test_docs.py::test_every_operator_and_port_is_documented_with_all_that_it_takes",
    "tests/test_house_rules.py",
)


class Block(NamedTuple):
    """A code block of the document, and the file that it is for."""

    path: str
    language: str
    text: str


def blocks() -> list[Block]:
    """The blocks below a line that is only a file's name."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return [Block(*found) for found in re.findall(r"^`([\w./]+)`:\n\n```(\w+)\n(.*?)^```$", text, re.M | re.S)]


def apply(diff: str, text: str) -> str:
    """`text` with the changes of `diff`: lines that begin with a space, + or -. A line `…` is between two places."""
    for part in diff.split("…\n"):
        lines = part.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(before) == 1, f"not once in the file:\n{before}"
        text = text.replace(before, after)
    return text


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git tracks, with the steps of the document done in it."""
    tree = tmp_path_factory.mktemp("clone")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():  # and not deleted since
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    for block in blocks():
        path = tree / block.path
        if block.language == "diff":
            path.write_text(apply(block.text, path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            assert not path.exists()
            path.write_text(block.text, encoding="utf-8")
    run(tree, "git", "init", "--quiet")
    run(tree, "git", "add", "--all")
    return tree


def run(tree: Path, *command: str) -> str:
    """What a command prints in the tree; it must succeed within a minute."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_steps_name_the_files(tree: Path) -> None:
    assert [block.path for block in blocks()] == [NEW[0], CHANGED, NEW[1], "docs/graphs.md", "CHANGELOG.md"]


def test_lint_and_types_pass(tree: Path) -> None:
    run(tree, sys.executable, "-m", "ruff", "check", "--no-cache", *NEW, CHANGED)
    run(tree, sys.executable, "-m", "ruff", "format", "--check", "--no-cache", *NEW, CHANGED)
    run(tree, sys.executable, "-m", "mypy", *NEW, CHANGED)


def test_the_import_rules_hold(tree: Path) -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    run(tree, sys.executable, "-c", code)


def test_its_own_test_and_those_that_look_at_every_operator_pass(tree: Path) -> None:
    run(tree, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)


def test_a_graph_uses_it_and_a_mistake_is_told(tree: Path) -> None:
    line = '      - resample: {rate: "${AUDIO_TARGET_RATE}"}\n'
    text = (tree / "graphs" / "default.yaml").read_text(encoding="utf-8")
    (tree / "mine.yaml").write_text(text.replace(line, f"      - volume: {{db: 6}}\n{line}"), encoding="utf-8")
    node = (sys.executable, "-m", "webapi.voice_node.main")
    assert run(tree, *node, "graphs", "check", "mine.yaml") == "mine.yaml: right\n"
    shown = run(tree, *node, "replay", "docs/examples/hello.wav", "--graph", "mine.yaml", "--set", "VAD_BACKEND=webrtc")
    assert "speech_started" in shown
    (tree / "wrong.yaml").write_text(text.replace(line, f"      - volume: {{db: 60}}\n{line}"), encoding="utf-8")
    wrong = subprocess.run([*node, "graphs", "check", "wrong.yaml"], cwd=tree, capture_output=True, text=True)
    assert wrong.returncode == 1
    assert wrong.stderr == "wrong.yaml:8:22: volume: db: 60: input should be less than or equal to 40\n"
