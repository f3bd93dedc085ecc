"""A backend of `end_of_turn` that never returns ends a replay with an error, and not by a decision without it."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.clock import off_loop
from webapi.voice_node.end_of_turn import Said
from webapi.voice_node.main import main
from webapi.voice_node.plugins import Plugins

MODULE = importlib.import_module("webapi.voice_node.end_of_turn")
GRAPH = """\
version: 1
streams:
  turns:
    from: caller
    through:
      - resample: {rate: 8000}
      - window
      - vad: {backend: webrtc}
      - end_of_turn: {backend: hangs}
      - turn_events: {hold_ms: 600, longest_hold_ms: 1600, answered: false}
outputs: {events: turns}
"""


class Hangs:
    """Never returns before `gate` is set: when it is asked, or already when it is loaded."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.hangs_in_load = False
        self.asked = 0

    def load(self) -> None:
        if self.hangs_in_load:
            self.gate.wait()

    def __call__(self, _: Said) -> float:
        self.asked += 1
        self.gate.wait()
        return 0.5


@pytest.fixture
def hangs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hangs]:
    backend = Hangs()
    monkeypatch.setattr(MODULE, "BACKENDS", Plugins("end of turn", "none", {"hangs": backend}))
    monkeypatch.setattr(off_loop, "LIMIT_S", 2.0)  # of real time: a machine may stall
    yield backend
    backend.gate.set()


@pytest.mark.parametrize("in_load", [False, True], ids=["asked", "loaded"])
def test_a_hung_backend_ends_the_replay(
    tmp_path: Path, hangs: Hangs, in_load: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    hangs.hangs_in_load = in_load
    (tmp_path / "g.yaml").write_text(GRAPH, encoding="utf-8")
    write_wav(tmp_path / "two.wav", silence(0.5) + (vowel(0.6) + silence(2.0)) * 2, 48_000)
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(tmp_path / "two.wav"), "--graph", str(tmp_path / "g.yaml"), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "end_of_turn: hangs: it has not ended within 2.0 s" in said
    assert "Give the backend a time limit of its own, or replay with --pace real" in said
    assert hangs.asked == (0 if in_load else 1)  # after the error nothing is decided, so it is not asked again
    assert not (tmp_path / "out").exists()
