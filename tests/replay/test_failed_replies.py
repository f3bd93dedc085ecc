"""A reply that failed or timed out is said everywhere: list, marbles, pictures, last line, exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.test_wav_replay import run, talk
from webapi.voice_node.events import seconds
from webapi.voice_node.replay.marbles import parse, render
from webapi.voice_node.replay.result import ReplayResult

__all__ = ["talk"]  # the fixture
RAISES = "ORCHESTRATOR=tests.orchestrators:RaisesMidway"
HANGS = "ORCHESTRATOR=tests.orchestrators:Hangs"


def test_a_failed_reply_is_said_marked_and_counted(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("replay", talk, "--set", RAISES, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().out
    assert "! 0  reply failed: RuntimeError: lost the thread" in said
    assert said.endswith("\n1 reply failed\n")
    failed = [each for each in parse((tmp_path / "out" / "marbles.txt").read_text()) if each.letter == "!"]
    assert [(each.turn, each.text) for each in failed] == [(0, "reply failed: RuntimeError: lost the thread")]
    (bot,) = (line for line in said.splitlines() if line.startswith("bot "))
    assert bot[8 + int(float(failed[0].t) * 10)] == "!"
    svg = (tmp_path / "out" / "timeline.svg").read_text()
    assert 'data-event="reply_failed"' in svg
    assert ">reply failed<" in svg  # in the legend
    assert "1 reply failed" in (tmp_path / "out" / "timeline.html").read_text()


def test_a_reply_that_timed_out_has_failed_too(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("replay", talk, "--set", HANGS, "--set", "REPLY_TIMEOUT_MS=600") == 1
    said = capsys.readouterr().out
    assert "! 0  reply failed: timeout: no audio for 0.6 s" in said


def test_without_a_failure_nothing_of_it_is_written(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("replay", talk, "--set", "MOCK_REPLY=tone:1", "--out", tmp_path / "out") == 0
    texts = [(tmp_path / "out" / name).read_text() for name in ("marbles.txt", "timeline.svg")]
    assert "reply failed" not in "".join([capsys.readouterr().out, *texts])
    assert "!" not in texts[0]


def test_a_mark_is_in_the_column_of_its_time() -> None:
    """Also where the float is a little less: 0.6 s is column 6."""
    for ms in range(0, 60_000, 10):
        event = {"event": "speech_started", "t": seconds(ms * 1000), "turn_index": 0, "trace_id": "t"}
        text = render(ReplayResult("a.wav", "default", seconds=60.0, events=[event]))
        turns = "".join(line[8:] for line in text.splitlines() if line.startswith("turns"))
        assert turns.index("S") == ms // 100
