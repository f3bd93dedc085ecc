"""What the documents show does what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import typer

from tests.e2e.process import run_node
from tests.graph.our_graphs import our_graphs
from tests.stage import play
from webapi.voice_node.graph.spec import INPUTS, OUTPUTS
from webapi.voice_node.main import app
from webapi.voice_node.operators import TABLE

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "bench").rglob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
]


def test_the_example_orchestrator_says_back_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    played = play([("speech", 1.0), ("quiet", 4.0)], orchestrator="parrot:Parrot")
    (line,) = played.lines
    (ended,) = played.of("speech_ended")
    assert line["outcome"] == "completed"
    assert line["heard_ms"] == len(ended.pcm) // 16
    assert line["t4_llm_request_done"] is not None
    said = np.frombuffer(ended.pcm, "<i2").astype(float)
    heard = np.frombuffer(played.ear.heard(0, 9), "<i2").astype(float)
    assert np.sqrt((heard**2).mean()) == pytest.approx(np.sqrt((said**2).mean()) / 2, rel=0.02)


def test_the_readmes_first_replay_shows_what_it_says(tmp_path: Path) -> None:
    command = re.search(r"^\.venv/bin/voice-node (replay .*) --out out$", README, re.MULTILINE)
    assert command is not None
    ran = run_node(*(word.replace("docs/", f"{ROOT}/docs/") for word in command[1].split()), cwd=tmp_path)
    shown = ran.out.removesuffix("\n")
    assert f"```\n{shown}```\n" in README
    picture = "\n".join(shown.splitlines()[2:7])
    assert picture in (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")


def test_the_readmes_mistake_is_told_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    text = (ROOT / "graphs" / "default.yaml").read_text(encoding="utf-8")
    (tmp_path / "graphs" / "mine.yaml").write_text(text.replace("resample:", "resampel:", 1))
    shown = re.search(r"^(graphs/mine\.yaml:.*)…$", README, re.MULTILINE)
    assert shown is not None
    assert run_node("graphs", "check", "mine", cwd=tmp_path).err.startswith(shown[1])


def test_every_operator_and_port_is_documented_with_all_that_it_takes() -> None:
    text = (ROOT / "docs" / "graphs.md").read_text(encoding="utf-8")
    rows = {
        name: set(re.findall(r"`([\w-]+)`", row))
        for name, row in re.findall(r"^\| `(\w+)` \|(.*)$", text, re.MULTILINE)
    }
    assert {*TABLE, *INPUTS, *OUTPUTS} <= set(rows)
    for operator in TABLE.values():
        fields = operator.arguments.model_fields
        words = {word for field in fields.values() for word in get_args(field.annotation) if isinstance(word, str)}
        assert {*fields, *operator.streams, *words} <= rows[operator.name]


def test_every_graph_is_in_the_table() -> None:
    text = (ROOT / "docs" / "graphs.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \[`([\w-]+)`\]\(\.\./graphs/", text, re.MULTILINE)) == set(our_graphs())


def options(command: Any) -> set[str]:
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_has_the_options_that_are_shown(path: Path) -> None:
    top: Any = typer.main.get_command(app)  # a Group of click, or of the one that newer typers bring
    for shown in re.findall(r"(?:voice-node|voice_node\.main) +([^\n`#|]+)", path.read_text(encoding="utf-8")):
        words = shown.split()
        command = top.commands.get("run" if words[0].startswith("-") else words[0])
        if hasattr(command, "commands"):
            command = command.commands[words[1]]
        if command is not None:  # else a sentence goes on there
            assert set(re.findall(r"(?<![\w-])--[a-z-]+", shown)) <= options(command), shown


def test_every_package_has_its_place_in_the_architecture() -> None:
    named = re.findall(r"`(\w+(?:\.py|/))`", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    node = ROOT / "webapi" / "voice_node"
    there = [path.name for path in node.glob("[!_]*.py")]
    there += [f"{path.parent.name}/" for path in node.glob("*/__init__.py")]
    assert [name for name in there if name not in named] == []


MADE_LATER = {  # by who follows the document, by the node, or by npm
    "mine.yaml", "graphs/mine.yaml", "webapi/voice_node/operators/volume.py", "tests/operators/test_volume.py",
    "mybot.py", "streaming.py", "tools.py", "bakery.py", "line.py", "menu.py", "asks.py", "patient.py",
    "graph.yaml", "vendor/livekit-client.umd.js", "/vendor/livekit-client.umd.js",
}  # fmt: skip


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_named_is_there(path: Path) -> None:
    ls_files = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(ls_files, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    there = [f"/{name}" for name in listed if (ROOT / name).exists()]
    named = set(re.findall(r"`([\w./-]+\.(?:py|js|sh|yaml|toml))`", path.read_text(encoding="utf-8"))) - MADE_LATER
    assert [name for name in sorted(named) if not any(each.endswith(f"/{name}") for each in there)] == []


def anchors(text: str) -> set[str]:
    """What can be linked to in a document, as GitHub names its headings."""
    return {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in headings(text)}


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ .*$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if "://" not in link and not (
            target.exists() and (not anchor or anchor in anchors(target.read_text(encoding="utf-8")))
        ):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_section_is_there_twice(path: Path) -> None:
    found: list[tuple[str, ...]] = []
    above: tuple[str, ...] = ()
    for heading in headings(path.read_text(encoding="utf-8")):
        depth = len(heading) - len(heading.lstrip("#"))
        above = (*above[: depth - 1], heading)
        found.append(above)
    assert [each[-1] for each in found if found.count(each) > 1] == []
