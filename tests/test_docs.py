"""What the documents show does what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.stage import play
from tests.test_replay import SETTINGS, TALK
from webapi.voice_node.graph import load_graph
from webapi.voice_node.marbles import render
from webapi.voice_node.replay import replay
from webapi.voice_node.wav import write_wav

ROOT = Path(__file__).parents[1]
EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


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


def test_the_readmes_first_replay_is_what_a_replay_shows(tmp_path: Path) -> None:
    write_wav(tmp_path / "hello.wav", TALK, 48_000)
    shown = render(replay(tmp_path / "hello.wav", load_graph("default", SETTINGS), SETTINGS))
    assert shown in (ROOT / "README.md").read_text(encoding="utf-8")
    picture = "\n".join(shown.splitlines()[2:7])
    assert picture in (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
