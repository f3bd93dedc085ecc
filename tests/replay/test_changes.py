"""Recorded calls with something different: the same where nothing differs in effect, and where they part else."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.recording.test_recording import CALLS, NOTED, TALK
from tests.replay.test_wav_replay import run
from tests.speech import silence, vowel
from tests.stage import play
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.clock import replay_loops
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.recording.recorded_call import read_call
from webapi.voice_node.replay import session
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges
from webapi.voice_node.replay.event_diff import differing_fields, event_texts, first_difference
from webapi.voice_node.replay.marbles import parse
from webapi.voice_node.replay.recorded_reply import NO_MORE_RECORDED, NOTHING_RECORDED, event_lines
from webapi.voice_node.replay.wav_replay import replay


def record(folder: Path, script: list[tuple[str, float]], **settings: Any) -> list[dict[str, Any]]:
    """A call on disk; what the node decided in it."""
    played = play(script, record=folder, **settings)
    assert not played.failures
    return list(event_lines(read_call(folder)))


def of(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


@pytest.mark.parametrize(("script", "settings"), CALLS.values(), ids=CALLS.keys())
def test_a_difference_without_effect_changes_nothing(
    tmp_path: Path, script: list[tuple[str, float]], settings: dict[str, Any]
) -> None:
    """The replies come by way of the utterances here, not from the tape as it stands: the same to the byte."""
    recorded = record(tmp_path / "call", script, **settings)
    replayed = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"publish_track_name": "another"}))
    assert replayed.events == recorded
    assert replayed.diverged is None
    assert replayed.recorded is None  # it is no check of the recording


def test_where_settings_part_is_the_first_decision_that_they_change(tmp_path: Path) -> None:
    recorded = record(tmp_path / "call", [("quiet", 0.3), ("speech", 0.6), ("quiet", 3.0)], mock_reply="tone:1")
    replayed = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"vad_speech_end_frames": 20}))
    assert replayed.diverged is not None
    was, now = recorded[replayed.diverged], replayed.events[replayed.diverged]
    assert (was["event"], now["event"]) == ("speech_ended", "speech_ended")
    assert now["t"] - was["t"] == pytest.approx(0.2, abs=0.02)
    # The reply is that of the recording, as long after the utterance as it came then, and is heard whole.
    (played_then,), (played_now,) = of(recorded, "playback_started"), of(replayed.events, "playback_started")
    assert played_now["t"] - now["t"] == pytest.approx(played_then["t"] - was["t"], abs=1e-6)
    assert of(replayed.events, "playback_ended")[0]["heard_ms"] == of(recorded, "playback_ended")[0]["heard_ms"]
    assert replayed.metrics[0]["outcome"] == "completed"


def test_a_reply_that_was_cut_then_ends_where_the_recording_does(tmp_path: Path) -> None:
    recorded = record(tmp_path / "call", TALK, mock_reply="tone:5")
    assert of(recorded, "barge_in")
    replayed = replay_call(tmp_path / "call", changes=ReplayChanges(graph="no-barge-in"))
    assert not of(replayed.events, "barge_in")
    first = of(replayed.events, "reply_ended")[0]
    assert (first["outcome"], first["detail"]) == ("completed", NO_MORE_RECORDED)
    known_ms = of(recorded, "playback_ended")[0]
    assert of(replayed.events, "playback_ended")[0]["heard_ms"] >= known_ms["heard_ms"] + known_ms["flushed_ms"] - 20


def test_a_reply_that_was_cut_before_anything_came_of_it_is_none_again(tmp_path: Path) -> None:
    graph = load_graph("conversation", load_settings()).text.replace("greeting: prompts/hello.wav", "greeting: hello")
    graph = graph.replace("prompts/", f"{Path('graphs/prompts').resolve()}/")
    recorded = record(tmp_path / "call", [("quiet", 0.02)], graph_text=graph)
    assert [event["event"] for event in recorded] == ["prompted", "reply_cut", "playback_ended"]
    replayed = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"publish_track_name": "another"}))
    assert replayed.events == recorded


def test_an_utterance_that_was_none_then_has_no_reply(tmp_path: Path) -> None:
    script = [("quiet", 0.5), ("speech", 0.12), ("quiet", 2.0), ("speech", 0.6), ("quiet", 2.0)]
    recorded = record(tmp_path / "call", script, mock_reply="tone:1", vad_speech_start_frames=12)
    assert len(of(recorded, "speech_started")) == 1
    replayed = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"vad_speech_start_frames": 3}))
    assert [line["outcome"] for line in replayed.metrics] == ["empty", "completed"]
    assert of(replayed.events, "reply_ended")[0]["detail"] == NOTHING_RECORDED


def test_the_orchestrator_asked_again(tmp_path: Path) -> None:
    recorded = record(tmp_path / "call", TALK, orchestrator=NOTED)
    again = replay_call(tmp_path / "call", changes=ReplayChanges(live=True))
    assert again.diverged is None  # as good as the same: it is one that always answers the same, 50 ms allowed
    assert [e["event"] for e in again.events] == [e["event"] for e in recorded]
    other = ReplayChanges(live=True, settings={"orchestrator": "mock", "mock_reply": "tone:0.2"})
    another = replay_call(tmp_path / "call", changes=other)
    assert another.diverged is not None
    assert another.events[another.diverged]["turn_index"] == 0
    assert str(other) == "ORCHESTRATOR=mock, MOCK_REPLY=tone:0.2, the orchestrator asked again"


def test_bad_settings_are_the_users_mistake(tmp_path: Path) -> None:
    record(tmp_path / "call", [("speech", 0.3)])
    with pytest.raises(UserError, match="VAD_SPEECH_START_FRAMES=0"):
        replay_call(tmp_path / "call", changes=ReplayChanges(settings={"vad_speech_start_frames": 0}))
    for bad in ("not json\n", "[1]\n", '{"event": "speech_ended", "t": 1.0}\n'):
        (tmp_path / "call" / "events.jsonl").write_text(bad)
        with pytest.raises(UserError, match=r"events\.jsonl:1: not what a recording has there"):
            replay_call(tmp_path / "call", changes=ReplayChanges(graph="patient"))


def test_partings() -> None:
    a = {"event": "playback_ended", "t": 1.0, "turn_index": 0, "heard_ms": 300, "completed": True}
    b = {**a, "t": 1.04, "heard_ms": 340}
    assert first_difference([a], [a]) is None
    assert first_difference([a], [b]) == 0
    assert first_difference([a], [b], 0.05) is None
    assert first_difference([a, b], [a]) == 1
    assert differing_fields(a, {**b, "completed": False}, 0.05) == ["completed"]
    assert event_texts([a], [b], 0) == (
        "    1.000  playback_ended of turn 0, heard_ms 300",
        "    1.040  playback_ended of turn 0, heard_ms 340",
    )
    assert event_texts([a], [], 0)[1] == "nothing more"


def test_both_marbles_and_where_they_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "call", [("quiet", 0.3), ("speech", 0.6), ("quiet", 3.0)], mock_reply="tone:1")
    assert run("replay", tmp_path / "call", "--set", "VAD_SPEECH_END_FRAMES=20", "--out", tmp_path / "out") == 1
    text = capsys.readouterr().out
    before, after = text.split("── with VAD_SPEECH_END_FRAMES=20 ──")
    assert before.startswith("── as it was recorded ──")
    assert "they part in event 2:" in after
    assert re.search(r"1\.39\d  speech_ended of turn 0", after)
    assert all(len(line) < 80 for line in before.splitlines())
    after = after[: after.index("they part")]
    assert [line.startswith("~") for line in after.splitlines() if "speech_" in line] == [False, True]
    assert [marble.letter for marble in parse(after)] == ["S", "E", "P", "p"]  # a marked one parses as well
    (row,) = (line for line in after.splitlines() if line.startswith("parted"))
    assert row.index("~") == 8 + 13  # 1.398 s: a column is 100 ms
    lines = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert [line.get("parted", False) for line in lines] == [False] + [True] * (len(lines) - 1)
    # A graph of the same effect, by any of the options that name one.
    for option in ("--graph", "--against"):
        assert run("replay", tmp_path / "call", option, "default") == 0
        assert "no event is another one with graph default" in capsys.readouterr().out


def test_a_setting_that_can_make_no_difference_is_said_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "call", [("speech", 0.5), ("quiet", 1.0)], mock_reply="tone:0.5")
    assert run("replay", tmp_path / "call", "--set", "MOCK_REPLY=beep", "--set", "WEB_PORT=1") == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        f"{tmp_path / 'call'}: no event is another one with MOCK_REPLY=beep, WEB_PORT=1",
        "  the graph default does not use WEB_PORT",
        "  MOCK_REPLY changes nothing where the recording answers; --orchestrator live asks again",
    ]
    assert run("replay", tmp_path / "call", "--set", "MOCK_REPLY=tone:0.5", "--orchestrator", "live") == 0
    assert "MOCK_REPLY changes nothing" not in capsys.readouterr().out
    write_wav(tmp_path / "a.wav", silence(0.3) + vowel(0.6) + silence(1.0), 48_000)
    for graph, end in (("default", "MOCK_REPLY=beep\n"), ("vad-only", "the graph vad-only does not use MOCK_REPLY\n")):
        assert run("replay", tmp_path / "a.wav", "--graph", graph, "--against", "MOCK_REPLY=beep") == 0
        assert capsys.readouterr().out.endswith(end)


def test_wavs_part_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wav = tmp_path / "a.wav"
    write_wav(wav, silence(0.3) + vowel(0.6) + silence(2.0), 48_000)
    assert run("replay", wav, "--against", "patient") == 1
    out = capsys.readouterr().out
    assert out.startswith("── as it is ──")
    assert "── with graph patient ──" in out
    assert run("replay", wav, "--against", "VAD_SPEECH_END_FRAMES=10", "--set", "MOCK_REPLY=tone:1") == 0
    assert f"{wav}: no event is another one with VAD_SPEECH_END_FRAMES=10" in capsys.readouterr().out
    assert run("replay", tmp_path / "none.wav", wav, "--against", "VAD_SPEECH_END_FRAMES=10") == 1


def test_a_folder_of_calls_is_compared_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        record(tmp_path / name, [("speech", 0.5), ("quiet", 1.0)], mock_reply="tone:0.5")
    assert run("replay", tmp_path, "--orchestrator", "live", "--jobs", 2) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "no event is another one" in line]
    assert [Path(line.split(":")[0]).name for line in lines] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--against", "default", "--against", "patient"], "--against patient: one graph at a time"),
        (["--against", "MAGIC=1"], "--against MAGIC: there is no setting 'MAGIC'"),
        (["--against", "VAD_SPEECH_END_FRAMES=x"], "VAD_SPEECH_END_FRAMES=x"),
        (["--against", "patent"], "Did you mean 'patient'"),
        (["--orchestrator", "dead"], "--orchestrator dead: it is recorded or live"),
        (["--pace", "slow"], "--pace slow: it is virtual or real"),
        (["--against", "patient", "--expect", "x.txt"], "one of the two at a time"),
    ],
)
def test_wrong_options_are_said(
    tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wav = tmp_path / "a.wav"
    write_wav(wav, silence(0.3), 48_000)
    assert run("replay", wav, *options) == 2
    assert said in capsys.readouterr().err


def test_an_orchestrator_with_real_io_is_asked_in_real_time(tmp_path: Path) -> None:
    """In virtual time it is told that it can't (test_no_virtual_time.py); in real time it can."""
    wav = tmp_path / "a.wav"
    write_wav(wav, vowel(0.4) + silence(0.8), 48_000)
    settings = load_settings(None, orchestrator="tests.orchestrators:Resolves")
    replayed = replay(wav, load_graph("default", settings), settings, pace="real")
    assert [line["outcome"] for line in replayed.metrics] == ["completed"]


class LateLoop(VirtualTimeLoop):
    """As a machine's loop is: each wait takes a millisecond longer than was asked for."""

    async def until(self, t_us: int) -> None:
        if t_us > self.now_us:
            await super().until(t_us + 1000)


def test_waits_that_last_too_long_do_not_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_loops, "RealTimeLoop", LateLoop)
    monkeypatch.setattr(session, "this_loop", asyncio.get_running_loop)
    wav = tmp_path / "a.wav"
    write_wav(wav, vowel(0.4) + silence(1.6), 48_000)
    settings = load_settings(None)
    assert replay(wav, load_graph("default", settings), settings, pace="real").seconds == pytest.approx(2.0, abs=0.002)


def test_moments_of_real_time_are_the_same_within_a_tolerance() -> None:
    real, live = ReplayChanges(pace="real"), ReplayChanges(live=True)
    assert real.tolerance_s == live.tolerance_s > ReplayChanges().tolerance_s == 0


def test_what_the_recording_lost_of_its_decisions_is_no_parting(tmp_path: Path) -> None:
    """Of a call that broke off, the events may end before the inputs do, in the middle of a character."""
    record(tmp_path / "call", [("quiet", 0.3), ("speech", 0.6), ("quiet", 3.0)], mock_reply="tone:1")
    events = tmp_path / "call" / "events.jsonl"
    whole = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(whole[:2]) + whole[2][:30] + "é".encode()[:1])
    told_again = replay_call(tmp_path / "call")
    assert told_again.recorded is not None
    assert len(told_again.events) == len(whole)
    assert run("replay", tmp_path / "call") == 0
    replayed = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"publish_track_name": "another"}))
    assert replayed.diverged is None
    assert replayed.before is not None
    assert replayed.events == replayed.before.events


@pytest.mark.parametrize("script", [TALK, [("speech", 0.5), ("gap", 1.0), ("quiet", 2.0)]], ids=["talk", "a gap"])
@pytest.mark.parametrize("reply", ["tone:1", "tone:2"])
def test_when_the_orchestrator_was_through_is_no_difference(
    tmp_path: Path, script: list[tuple[str, float]], reply: str
) -> None:
    """It waits for room in the queue, in steps of 200 ms: nobody hears when its last chunk found some."""
    record(tmp_path / "call", script, mock_reply=reply)
    assert replay_call(tmp_path / "call", changes=ReplayChanges(live=True)).diverged is None
