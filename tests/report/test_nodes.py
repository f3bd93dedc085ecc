"""Files of several nodes: told apart, merged, and a turn that is given twice counts once."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.report.test_summary import CUT, printed, turn, written
from webapi.voice_node.cli.report import print_report
from webapi.voice_node.report.summary import summary
from webapi.voice_node.report.table import show


def shown(*turns: dict[str, object]) -> str:
    console = Console(file=io.StringIO(), width=120)
    show(summary(turns), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_node_has_a_row_and_the_totals_are_those_of_all() -> None:
    fast = [turn(i, node="a-1", session_id="s1", caller_wait_ms=300 + i) for i in range(5)]
    slow = [turn(i, node="b-1", session_id="s2", caller_wait_ms=900.0) for i in range(3)]
    slow += [
        turn(4, node="b-1", session_id="s3", **CUT),
        {**turn(5, node="b-1", session_id="s3"), "outcome": "timeout"},
    ]
    numbers = summary([*fast, *slow])
    assert list(numbers["nodes"]) == ["a-1", "b-1"]
    assert numbers["nodes"]["b-1"]["outcomes"] == {"completed": 3, "barged_in": 1, "timeout": 1}
    assert (numbers["turns"], numbers["sessions"], numbers["barge_ins"]) == (10, 3, 1)
    assert numbers["measures"]["caller_wait_ms"]["n"] == 8
    text = shown(*fast, *slow)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith((" a-1", " b-1"))}
    assert rows["a-1"] == ["5", "1", "5", "0", "0", "302", "304", "–", "–"]
    assert rows["b-1"] == ["5", "2", "3", "1", "1", "900", "900", "140", "140"]


def test_one_node_needs_no_row_and_turns_without_one_have_a_row_of_their_own() -> None:
    assert "by node" not in shown(turn(0, node="a-1"), turn(1, node="a-1"))
    assert "by node" not in shown(turn(0), turn(1))
    text = shown(turn(0), turn(1, node="[red]\x1b[31modd"))
    assert "\x1b[31m" not in text
    assert "[red]" in text
    assert any(line.split()[:2] == ["–", "1"] for line in text.splitlines())


def test_clocks_of_nodes_are_not_compared() -> None:
    """Each monotonic clock began when its machine did: the numbers don't depend on by how much they differ."""
    names = ("t1_first_user_audio", "t2_speech_ended", "t3_logic_start", "t5_tts_first_chunk", "t6_first_bot_audio")
    near = [turn(i, node=node, session_id=node) for i in range(3) for node in ("a", "b")]
    far = [{**t, **{n: t[n] + 1e6 for n in names}} if t["node"] == "b" else t for t in near]
    assert json.dumps(summary(near)) == json.dumps(summary(far))


def test_a_file_that_is_given_twice_counts_once_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = written(tmp_path / "a.jsonl", [turn(i, node="a") for i in range(4)])
    copy = written(tmp_path / "a.jsonl.1", [turn(i, node="a") for i in range(2)])
    other = written(tmp_path / "b.jsonl", [turn(i, node="b", session_id="t") for i in range(3)])
    assert print_report([first, other, copy, first], as_json=True) == 0
    said = capsys.readouterr()
    numbers = json.loads(said.out)
    assert (numbers["turns"], numbers["repeated_lines"], numbers["skipped_lines"]) == (7, 6, 0)
    assert said.err.splitlines() == [
        f"{copy}: 2 of its lines are in a file before it too, and count once",
        f"{first}: 4 of its lines are in a file before it too, and count once",
    ]


def test_the_same_turn_of_two_replays_counts_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They have the same ids, because those derive from the recording; what they measured differs."""
    one = written(tmp_path / "1.jsonl", [turn(0)])
    two = written(tmp_path / "2.jsonl", [turn(0, heard_ms=400)])
    assert print_report([one, two], as_json=True) == 0
    assert printed(capsys)["turns"] == 2


def test_bad_lines_of_a_copy_are_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text("half a li\n" + json.dumps(turn(0)) + "\n\n")
    assert print_report([path, path], as_json=True) == 0
    said = capsys.readouterr()
    assert said.err.splitlines()[0] == f"{path}:1: not a JSON object, or only a part of one"
    assert json.loads(said.out)["skipped_lines"] == 1
