"""The caller's wait in the report: its parts, whose they are, what changes them; and files that lack it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.report.test_plots import check
from tests.report.test_summary import turn, written
from webapi.voice_node.cli.report import print_report
from webapi.voice_node.report.plots import caller_wait, draw
from webapi.voice_node.report.plotting import style
from webapi.voice_node.report.summary import summary
from webapi.voice_node.report.table import MAX_PARTS, show


def part(name: str, ms: float, owner: str = "orchestrator", setting: str | None = None) -> dict[str, Any]:
    return {"name": name, "ms": ms, "owner": owner, "setting": setting}


def waited(index: int, *parts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return turn(index, caller_wait_ms=sum(each["ms"] for each in parts), parts=list(parts), **changes)


def usual(index: int, llm_ms: float = 400) -> dict[str, Any]:
    return waited(
        index,
        part("endpointing", 200, "node", "VAD_SPEECH_END_FRAMES"),
        part("node", 1, "node"),
        part("speech_to_text", 300, setting="with: stt"),
        part("llm_first_token", llm_ms, setting="with: llm"),
        part("node", 2, "node"),
    )


def shown(turns: list[dict[str, Any]]) -> str:
    console = Console(file=io.StringIO(), width=100)
    show(summary(turns), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_part_has_its_spread_owner_and_setting_in_the_order_of_a_turn() -> None:
    numbers = summary([usual(0), usual(1, 500), usual(2, 600), waited(3, part("speech_to_text", 100))])
    assert list(numbers["parts"]) == ["endpointing", "node", "speech_to_text", "llm_first_token"]
    assert numbers["parts"]["node"] == {"owner": "node", "setting": None, "n": 3, "max": 3} | dict.fromkeys(
        ("p50", "p90", "p95", "p99"), 3.0
    )
    llm = numbers["parts"]["llm_first_token"]
    assert (llm["n"], llm["p50"], llm["p95"], llm["setting"]) == (3, 500, 590, "with: llm")
    assert list(summary([usual(0)])["parts"]) == ["endpointing", "node", "speech_to_text", "llm_first_token"]
    assert numbers["measures"]["caller_wait_ms"]["n"] == 4


def test_the_wait_is_the_first_that_people_read() -> None:
    lines = [line.split() for line in shown([usual(0), usual(1, 500)]).splitlines()]
    wait = next(at for at, line in enumerate(lines) if line[:2] == ["caller's", "last"])
    first = next(at for at, line in enumerate(lines) if line[:1] == ["endpointing"])
    rest = next(at for at, line in enumerate(lines) if line[:3] == ["end", "of", "speech"])
    assert wait < first < rest
    assert lines[wait][-6:] == ["2", "953", "993", "998", "1002", "1003"]
    assert lines[first] == ["endpointing", "2", "200", "200", "node", "VAD_SPEECH_END_FRAMES"]


def test_files_of_an_earlier_version_say_once_that_they_lack_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = written(tmp_path / "old.jsonl", [turn(i) for i in range(3)])
    new = written(tmp_path / "new.jsonl", [usual(3)])
    assert print_report([old, new], tmp_path / "out") == 0
    said = capsys.readouterr()
    assert said.out.count("3 of 4 turns lack caller_wait_ms") == 1
    assert print_report([old]) == 0
    text = capsys.readouterr().out
    assert text.count("caller_wait_ms") == 1
    assert "what that wait is made of" not in text
    assert print_report([new]) == 0
    assert "lack" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "parts", [1, "x", [1], [{}], [part("x", -1)], [{**part("x", 1), "name": 3}], [part("x", 1e300)]]
)
def test_parts_that_are_none_are_named(parts: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "m.jsonl", [{**usual(0), "parts": parts}, usual(1)])
    assert print_report([path], as_json=True) == 0
    said = capsys.readouterr()
    assert said.err == f"{path}:1: parts is no list of parts, and not null\n"
    assert json.loads(said.out)["turns"] == 1


HOSTILE = "a\x1b[31m[red]\nb" + "x" * 200
MANY = [waited(n, part(f"mark {n}", 10 * n + 1), part(HOSTILE, 5, HOSTILE, HOSTILE)) for n in range(30)]


def test_names_are_only_names_and_many_of_them_are_not_all_shown() -> None:
    text = shown(MANY)
    assert "\x1b" not in text
    assert f"… and {31 - MAX_PARTS} more: see --json" in text
    assert len(text.splitlines()) < 50


@pytest.mark.parametrize(
    "turns", [[usual(0)], [usual(n, 100 * n) for n in range(60)], MANY], ids=["one", "many", "names"]
)
def test_the_bars_are_the_waits(turns: list[dict[str, Any]]) -> None:
    with style():
        figure = caller_wait(turns)
        check(figure)
    assert figure is not None
    (axes,) = figure.axes
    bars: Any = [bar for bar in axes.patches if bar.get_width()]  # type: ignore[attr-defined]  # they are rectangles
    ends = {round(bar.get_y() + bar.get_height() / 2): bar.get_x() + bar.get_width() for bar in bars}
    assert list(ends.values()) == pytest.approx([each["caller_wait_ms"] for each in turns[-40:]])
    (legend,) = figure.legends
    assert len(legend.get_texts()) <= 8


def test_without_waits_there_is_no_picture_of_them(tmp_path: Path) -> None:
    assert caller_wait([turn(0), turn(1, parts=None, caller_wait_ms=None)]) is None
    assert "caller_wait.png" not in {path.name for path in draw([turn(0)], tmp_path)}
    assert "caller_wait.svg" in {path.name for path in draw([usual(0)], tmp_path)}
