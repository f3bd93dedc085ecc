"""The set-up files agree with each other."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

from packaging.requirements import Requirement

from tests.e2e.browser import NAMES

ROOT = Path(__file__).parents[1]


def targets() -> set[str]:
    """What `make` can make."""
    return set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_make_command_in_the_documents_is_one() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), ROOT / ".ci" / "run"]:
        named = set(re.findall(r"^(?:exec )?make ([a-z0-9]+)", path.read_text(), re.MULTILINE))
        assert named <= targets(), path


def test_continuous_integration_runs_the_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "\nmake test\n" in (ROOT / "README.md").read_text()


def test_every_direct_dependency_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {Requirement(line).name.lower() for line in lines if line and not line.startswith("#")}
    text = (ROOT / "pyproject.toml").read_text()
    blocks = re.findall(r"^(?:dependencies|web|report|dev) = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
    wanted = {Requirement(r).name.lower() for block in blocks for r in re.findall(r'"([^"]+)"', block)}
    assert len(wanted) > 15
    assert wanted <= pins


def test_livekit_is_pinned_once_and_exactly() -> None:
    assert re.findall(r"^livekit==.*$", (ROOT / "constraints.txt").read_text(), re.MULTILINE) == ["livekit==1.1.21"]


def test_make_help_names_what_there_is() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"^make ([a-z0-9]+)", said, re.MULTILINE))
    assert named == targets() - {"help"}


def test_the_page_and_the_package_name_the_same_client() -> None:
    version = re.search(r'"livekit-client": "([\d.]+)"', (ROOT / "package.json").read_text())
    assert version
    assert version[1] in (ROOT / "webapi" / "static" / "js" / "sdk.js").read_text()


def test_the_browser_that_is_got_is_one_that_the_tests_find() -> None:
    named = re.search(r"^NAMES = (\(.*?\))", (ROOT / "scripts" / "get_chromium.py").read_text(), re.MULTILINE)
    assert named
    assert ast.literal_eval(named[1]) == NAMES
