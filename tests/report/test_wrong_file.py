"""`report` of a file that is no metrics.jsonl."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.test_summary import turn, written
from webapi.voice_node.cli.report import print_report
from webapi.voice_node.errors import UserError

EVENTS = (
    {"t": 0.5, "event": "speech_started", "trace_id": "a", "turn_index": 1},
    {"t": 2.5, "event": "reply_ended", "trace_id": "a", "turn_index": 1, "outcome": "completed"},
)


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("beside", [False, True])
def test_a_file_of_another_kind_is_told_once(
    beside: bool, as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = written(tmp_path / "events.jsonl", [*EVENTS] * 10)
    right = [written(tmp_path / "metrics.jsonl", [turn(0)])] if beside else []
    with pytest.raises(
        UserError, match=r"events\.jsonl is no metrics\.jsonl: no line of it is a turn\. Give a metrics"
    ):
        print_report([*right, events], as_json=as_json)
    assert capsys.readouterr() == ("", "")


def test_a_file_with_turns_and_other_lines_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "m.jsonl", [EVENTS[0], turn(0)])
    assert print_report([path]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("1 turn, 1 session\n")
    assert said.err == f"{path}:1: no outcome\n"
