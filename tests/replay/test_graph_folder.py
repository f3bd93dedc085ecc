"""A recorded call is replayed with the models and sounds that lie beside the file of its graph."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from tests.recording.test_recording import NOTED
from tests.speech import vowel
from tests.stage import play
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.end_of_turn import Said
from webapi.voice_node.errors import UserError
from webapi.voice_node.plugins import Plugins
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges

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
      - end_of_turn: {backend: smart-turn, model: models/mine.onnx}
      - turn_events: {hold_ms: 600, longest_hold_ms: 1600, greeting: hello.wav}
  voice:
    from: turns
    through: [reply: {orchestrator: "${ORCHESTRATOR}"}, resample: {rate: 48000}]
outputs: {speaker: voice, events: turns}
"""
SCRIPT = [("quiet", 1.5), ("speech", 0.6), ("quiet", 3.0)]
ANOTHER = ReplayChanges(settings={"publish_track_name": "another"})


class Model:
    """A backend that answers what stands in its file."""

    def __init__(self, model: str = "") -> None:
        self._answer = float(Path(model).read_text(encoding="utf-8")) if model else 0.5

    def __call__(self, _: Said) -> float:
        return self._answer


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recorded call, whose graph has a model and a greeting beside it."""
    monkeypatch.setattr(MODULE, "BACKENDS", Plugins("end of turn", "none", {"smart-turn": Model()}))
    monkeypatch.setattr(MODULE, "ARGUMENTS", {**MODULE.ARGUMENTS, "model": Model})
    monkeypatch.setattr(MODULE.smart_turn, "missing", tuple)
    models = tmp_path / "graphs" / "models"
    models.mkdir(parents=True)
    (models / "mine.onnx").write_text("0.75", encoding="utf-8")
    write_wav(tmp_path / "graphs" / "hello.wav", vowel(0.3), 48_000)
    (tmp_path / "graphs" / "mine.yaml").write_text(GRAPH, encoding="utf-8")
    played = play(SCRIPT, graph=str(tmp_path / "graphs" / "mine.yaml"), record=tmp_path / "call", orchestrator=NOTED)
    assert not played.failures
    assert [event.done for event in played.of("speech_ended")] == [0.75]
    return tmp_path / "call"


def test_the_model_is_found_beside_the_file_of_the_graph(call: Path) -> None:
    result = replay_call(call, changes=ANOTHER)
    assert (result.diverged, result.problems) == (None, [])
    assert [event["done"] for event in result.events if event["event"] == "speech_ended"] == [0.75]


def test_the_recording_tells_nothing_of_this_machine_and_may_move_with_the_graph(call: Path) -> None:
    assert json.loads((call / "call.json").read_text(encoding="utf-8"))["graph_folder"] == "../graphs"
    there = call.parent / "moved"
    there.mkdir()
    for name in ("call", "graphs"):
        (call.parent / name).rename(there / name)
    (call.parent / "link").symlink_to(there / "call")
    for folder in (there / "call", call.parent / "link"):
        assert replay_call(folder, changes=ANOTHER).diverged is None


def test_asked_again_the_greeting_is_found_there_too(call: Path) -> None:
    result = replay_call(call, changes=ReplayChanges(live=True))
    assert result.diverged is None
    greeted = next(event for event in result.events if event["event"] == "playback_ended")
    assert greeted["heard_ms"] == 300


def test_a_model_that_is_gone_is_an_error_that_says_what_to_do(call: Path) -> None:
    gone = call.parent / "graphs" / "models" / "mine.onnx"
    gone.unlink()
    assert replay_call(call).diverged is None  # the recording has the answers
    with pytest.raises(
        UserError, match=r"there is no file .*/graphs/models/mine\.onnx\n.*put the file there, or .*--against"
    ):
        replay_call(call, changes=ANOTHER)


@pytest.mark.parametrize("folder", [None, 17, "no\0folder", "../no/such/folder", "long" * 999])
def test_a_recording_without_such_a_folder_may_have_the_model_itself(call: Path, folder: object) -> None:
    header = json.loads((call / "call.json").read_text(encoding="utf-8"))
    header["graph_folder"] = folder
    (call / "call.json").write_text(json.dumps(header), encoding="utf-8")
    with pytest.raises(UserError, match=r"there is no file .*/call/models/mine\.onnx"):
        replay_call(call, changes=ANOTHER)
    (call.parent / "graphs" / "models").rename(call / "models")
    assert replay_call(call, changes=ANOTHER).diverged is None
