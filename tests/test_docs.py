"""What the documents show does what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.stage import play

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
