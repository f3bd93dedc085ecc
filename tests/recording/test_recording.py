"""Recorded calls: what is written, and that it gives the same decisions again, to the byte."""

from __future__ import annotations

import json
import re
import shutil
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.replay.test_wav_replay import run
from tests.reply.test_filler import with_filler
from tests.reply.test_prompts import KNOWS, prompting
from tests.stage import play
from webapi.voice_node.audio.wav import wav_info
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.files.json_line import json_line
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.inputs import CallerInfo, Closed
from webapi.voice_node.recording.call_recorder import CallRecorder
from webapi.voice_node.recording.recorded_call import read_call
from webapi.voice_node.recording.retention import check_recordings, new_recording, prune
from webapi.voice_node.replay.call_replay import replay_call

GRAPHS = Path(__file__).parents[2] / "graphs"
CONVERSATION = (GRAPHS / "conversation.yaml").read_text(encoding="utf-8").replace("prompts/", f"{GRAPHS}/prompts/")
NOTED = "tests.orchestrators:Noted"
TALK = [
    *(("quiet", 0.3), ("speech", 0.7), ("quiet", 0.8), ("speech", 0.6)),
    *(("quiet", 0.5), ("speech", 0.4), ("quiet", 2.0)),
]
TWICE = [("speech", 0.5), ("quiet", 3.0)] * 2
COUGHS = [
    *(("speech", 0.5), ("quiet", 0.8), ("speech", 0.2), ("quiet", 0.7), ("speech", 0.2), ("quiet", 1.0)),
    *(("speech", 0.9), ("quiet", 4.0)),
]
CALLS: dict[str, tuple[list[tuple[str, float]], dict[str, Any]]] = {
    "barge-ins": (TALK, {"orchestrator": NOTED}),
    "replies to the end": (
        [("speech", 0.5), ("quiet", 3.0), ("speech", 0.5), ("quiet", 3.0)],
        {"mock_reply": "tone:1"},
    ),
    "superseded": (
        [("speech", 0.6), ("quiet", 0.4), ("speech", 0.6), ("quiet", 3.0)],
        {"orchestrator": "tests.orchestrators:Ponders"},
    ),
    "gaps": ([("speech", 0.5), ("gap", 2.0), ("speech", 0.3), ("gap", 0.1), ("quiet", 2.0)], {"mock_reply": "tone:1"}),
    "a lost connection": ([("speech", 0.5), ("quiet", 0.8), ("cut", 1.0), *TALK], {"mock_reply": "tone:5"}),
    "hooks that raise": (TALK, {"orchestrator": "tests.orchestrators:HooksRaise"}),
    "a reply that fails midway": (TALK, {"orchestrator": "tests.orchestrators:RaisesMidway"}),
    "an error that is no text": (TALK, {"orchestrator": "tests.orchestrators:RaisesNoText"}),
    "a reply that hangs": (TALK, {"orchestrator": "tests.orchestrators:Hangs", "reply_timeout_ms": 600}),
    "closed in a reply": ([("speech", 0.5), ("quiet", 0.7)], {"orchestrator": NOTED}),
    "closed in speech": ([("speech", 0.5)], {"orchestrator": NOTED}),
    "a reply that insists": (TALK, {"orchestrator": "tests.orchestrators:Insists"}),
    "an echo": (TALK, {"mock_reply": "echo"}),
    "coughs": (COUGHS, {"graph": "cough", "mock_reply": "tone:3"}),
    "prompts": (TALK, {"graph_text": CONVERSATION}),
    "prompts by key": (
        [("quiet", 1.0), *TALK],
        {"graph_text": prompting(greeting="later hm", idle_prompt="hm", idle_s=1), "orchestrator": KNOWS},
    ),
    "prompts that fail": (
        TALK,
        {"graph_text": prompting(greeting="raises", idle_prompt="hangs", idle_s=1), "orchestrator": KNOWS},
    ),
    "a prompt before which somebody speaks": (TALK, {"graph_text": prompting(greeting="hangs"), "orchestrator": KNOWS}),
    "fillers": (TALK, {"graph_text": with_filler("later hm", 200), "orchestrator": KNOWS}),
    "a filler that fails": (
        TALK,
        {"graph_text": with_filler("raises", 200), "orchestrator": KNOWS},
    ),
    "16 kHz": (TALK, {"mock_reply": "tone:1", "audio_target_rate": 16_000}),
}


@pytest.mark.parametrize(("script", "settings"), CALLS.values(), ids=CALLS.keys())
def test_a_recorded_call_decides_the_same_again(
    tmp_path: Path, script: list[tuple[str, float]], settings: dict[str, Any]
) -> None:
    played = play(script, record=tmp_path / "call", **settings)
    assert not played.failures
    replayed = replay_call(tmp_path / "call")
    again = "".join(map(json_line, replayed.events))
    assert again == (tmp_path / "call" / "events.jsonl").read_text(encoding="utf-8")
    assert replayed.metrics == played.lines
    assert len(replayed.events) >= 1


def test_in_the_mix_of_a_call_everything_is_heard_when_it_happened(tmp_path: Path) -> None:
    play([("gap", 0.7), ("speech", 0.6), ("gap", 3.0), ("speech", 0.6), ("gap", 2.0)], record=tmp_path / "call",
         mock_reply="tone:1")  # fmt: skip
    assert run("replay", tmp_path / "call", "--out", tmp_path / "out") == 0
    with wave.open(str(tmp_path / "out" / "mix.wav")) as mix:
        both = np.frombuffer(mix.readframes(mix.getnframes()), "<i2").reshape(-1, 2)
    loud = np.abs(both.astype(int)) > 300
    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    started, heard = ([e for e in events if e["event"] == name] for name in ("playback_started", "speech_started"))
    assert len(started) == len(heard) == 2
    for at, side in [(e["t"], 1) for e in started] + [(e["t_first_voiced"], 0) for e in heard]:
        assert loud[round(16_000 * at) : round(16_000 * (at + 0.1)), side].any()
        assert not loud[round(16_000 * (at - 0.3)) : round(16_000 * (at - 0.03)), side].any()
    assert len(both) / 16_000 == pytest.approx(6.9, abs=0.02)
    assert replay_call(tmp_path / "call").seconds == pytest.approx(6.9, abs=0.02)
    voice = (tmp_path / "out" / "marbles.txt").read_text().splitlines()[4]
    columns = [run.start() for run in re.finditer("#+", voice[8:])]
    assert columns == [pytest.approx(10 * e["t_first_voiced"], abs=2) for e in heard]


def test_the_command_says_that_it_is_the_same_and_notices_when_it_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play(TALK, record=tmp_path / "call", orchestrator=NOTED)
    assert run("replay", tmp_path / "call", "--out", tmp_path / "out") == 0
    assert "events as when it was recorded" in capsys.readouterr().out
    assert (tmp_path / "out" / "events.jsonl").read_bytes() == (tmp_path / "call" / "events.jsonl").read_bytes()
    graph = tmp_path / "call" / "graph.yaml"
    graph.write_text(graph.read_text().replace("${VAD_SPEECH_START_FRAMES}", "9"))
    assert run("replay", tmp_path / "call") == 1
    assert "the first difference is in line 1" in capsys.readouterr().err


def test_a_folder_of_calls_and_wavs_is_a_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        play([("speech", 0.5), ("quiet", 1.0)], record=tmp_path / "calls" / name, mock_reply="tone:0.5")
    shutil.copy(tmp_path / "calls" / "a" / "caller.wav", tmp_path / "calls" / "c.wav")
    assert run("replay", tmp_path / "calls") == 0
    out = capsys.readouterr().out
    assert out.count("events as when it was recorded") == 2
    assert out.count("a column is 100 ms") == 3


def test_what_is_written(tmp_path: Path) -> None:
    play(TALK, record=tmp_path / "call", orchestrator=NOTED, livekit_api_secret="not for the disk")
    assert sorted(p.name for p in (tmp_path / "call").iterdir()) == [
        "call.json", "caller.wav", "events.jsonl", "graph.yaml", "inputs.jsonl", "replies.wav",
    ]  # fmt: skip
    everything = b"".join(p.read_bytes() for p in (tmp_path / "call").iterdir())
    assert b"not for the disk" not in everything
    info = wav_info(tmp_path / "call" / "caller.wav")
    assert (info.rate, info.channels, info.truncated) == (48_000, 1, False)
    assert info.frames == round(sum(s for _, s in TALK) * 48_000)
    inputs = list(read_call(tmp_path / "call").inputs())
    assert isinstance(inputs[-1], Closed)


@pytest.mark.parametrize("bytes_lost", [1, 30, 1000, 20_000])
def test_a_recording_that_broke_off_is_replayed_as_far_as_it_goes(tmp_path: Path, bytes_lost: int) -> None:
    play(TALK, record=tmp_path / "call", orchestrator=NOTED)
    for name in ("inputs.jsonl", "events.jsonl", "caller.wav"):
        path = tmp_path / "call" / name
        path.write_bytes(path.read_bytes()[: -min(bytes_lost, path.stat().st_size // 3)])
    whole = [json.loads(line) for line in (tmp_path / "call" / "events.jsonl").read_text().splitlines()[:-1]]
    replayed = replay_call(tmp_path / "call")
    same = [a for a, b in zip(replayed.events, whole, strict=False) if a == b]
    assert len(same) >= min(len(whole), len(replayed.events)) - 2  # but for what the end itself does


@pytest.mark.parametrize("first_second", [(), ("inputs.jsonl", "events.jsonl")])
def test_a_recording_that_broke_off_at_once_is_empty(tmp_path: Path, first_second: tuple[str, ...]) -> None:
    """The first second is in memory only: files are not there yet, or are but have nothing in them."""
    play(TALK, record=tmp_path / "call", orchestrator=NOTED)
    for name in ("inputs.jsonl", "events.jsonl", "caller.wav", "replies.wav"):
        (tmp_path / "call" / name).unlink()
    for name in first_second:
        (tmp_path / "call" / name).touch()
    assert replay_call(tmp_path / "call").events == []
    assert run("replay", tmp_path / "call", "--out", tmp_path / "out") == 0


def test_audio_that_is_not_on_the_disk_yet_ends_the_recording(tmp_path: Path) -> None:
    play(TALK, record=tmp_path / "call", orchestrator=NOTED)
    (tmp_path / "call" / "caller.wav").write_bytes(b"")
    assert list(read_call(tmp_path / "call").inputs()) == []


def test_bad_recordings_are_refused_by_name(tmp_path: Path) -> None:
    call = tmp_path / "call"
    call.mkdir()
    (call / "call.json").write_text("{}")
    with pytest.raises(UserError, match=r"graph\.yaml: No such file"):
        read_call(call)
    (call / "graph.yaml").write_text("version: 1")
    with pytest.raises(UserError, match="a recording of another version"):
        read_call(call)
    (call / "call.json").write_text("not json")
    with pytest.raises(UserError, match="not what a recording begins with"):
        read_call(call)
    (call / "call.json").write_text('{"version": 1}')
    with pytest.raises(UserError, match=r"call\.json lacks what a replay needs: 'origin_us'"):
        replay_call(call)


@pytest.mark.parametrize("more", [(), ("--set", "VAD_SPEECH_END_FRAMES=20")])
def test_a_mistake_in_the_graph_is_reported_in_the_file_of_the_recording(
    tmp_path: Path, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    call = tmp_path / "call"
    play([("speech", 0.3), ("quiet", 0.3)], record=call)
    assert replay_call(call).graph == "default"
    text = (call / "graph.yaml").read_text(encoding="utf-8").replace("- window", "- windw", 1)
    (call / "graph.yaml").write_text(text, encoding="utf-8")
    line = 1 + next(i for i, each in enumerate(text.splitlines()) if "- windw" in each)
    assert run("replay", call, *more) == 2
    said = capsys.readouterr().err
    assert f"{call / 'graph.yaml'}:{line}:" in said
    assert "default.yaml" not in said


def test_a_line_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    play([("speech", 0.3), ("quiet", 0.3)], record=tmp_path / "call")
    path = tmp_path / "call" / "inputs.jsonl"
    lines = path.read_text().splitlines()
    lines[3] = '{"in": "magic"}'
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=r"inputs\.jsonl:4: not a line of a recording: an unknown input 'magic'"):
        list(read_call(tmp_path / "call").inputs())


def test_a_call_that_grows_too_large_stops_being_recorded_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    recorder = CallRecorder(tmp_path / "call", {}, "", said.append, max_bytes=200)
    for t_us in range(100):
        recorder.note(Closed(t_us))
    recorder.close()
    assert said == ["it has become too large"]
    assert (tmp_path / "call" / "inputs.jsonl").stat().st_size <= 200


def test_the_oldest_recordings_go_first_and_nothing_else(tmp_path: Path) -> None:
    for name in ("20260101-a", "20260102-b", "20260103-c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "call.json").write_text("{}")
        (tmp_path / name / "caller.wav").write_bytes(bytes(600_000))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert [p.name for p in prune(tmp_path, max_mb=1, max_days=10_000)] == ["20260101-a", "20260102-b"]
    assert (tmp_path / "mine" / "notes.txt").exists()
    assert prune(tmp_path, max_mb=1, max_days=10_000) == []


def test_a_recording_has_the_graph_that_answered_and_not_what_its_file_has_become(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((GRAPHS / "default.yaml").read_text())
    settings = load_settings(None, record_dir=str(tmp_path / "calls"))
    check_recordings(settings)
    graph = load_graph(str(path), settings)
    path.write_text("version: 2")
    recorder = new_recording(
        settings, graph, session_id="s", room="r", origin_us=0, caller=CallerInfo(), on_problem=pytest.fail
    )
    recorder.close()
    (call,) = (tmp_path / "calls").iterdir()
    assert read_call(call).graph == (GRAPHS / "default.yaml").read_text()
