"""How narrow each decision was is told with its event."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stage import Played, play
from webapi.voice_node.events import MARGINS, BargeIn, SpeechEnded, SpeechStarted, record
from webapi.voice_node.hearing.endpoint import END
from webapi.voice_node.hearing.onset import BARGE_IN, START
from webapi.voice_node.replay.event_diff import differing_fields

TALK = (("quiet", 0.4), ("chatter", 1.4), ("quiet", 0.7), ("chatter", 2.5), ("quiet", 2.0))


def margins(played: Played, name: str) -> list[dict[str, Any]]:
    lines = [record(event, 0) for event in played.of(name)]
    return [{field: line[field] for field in MARGINS if field in line} for line in lines]


def test_of_a_detector_that_only_says_yes_and_no() -> None:
    played = play(TALK, vad_backend="webrtc", mock_reply="tone:4")
    assert len(played.of("barge_in")) == 1
    frames = {"run": 6, "needed": 6, "probability": None, "threshold": None}
    assert margins(played, "speech_started") == [frames] * 2
    assert margins(played, "barge_in") == [frames]
    assert margins(played, "speech_ended") == [{"unvoiced": 10, "hold": 10, "highest": None}] * 2


def test_of_a_detector_with_probabilities() -> None:
    played = play(TALK, vad_backend="confirm", mock_reply="tone:4")
    first, second = margins(played, "speech_started")
    assert first["needed"] == 4
    assert first["threshold"] == START
    assert first["run"] >= 4
    assert START <= first["probability"] <= 1
    (barge_in,) = margins(played, "barge_in")
    assert barge_in == second
    assert (barge_in["needed"], barge_in["threshold"]) == (6, BARGE_IN)
    assert BARGE_IN <= barge_in["probability"] <= 1
    for ended in margins(played, "speech_ended"):
        assert (ended["unvoiced"], ended["hold"]) == (10, 10)
        assert 0 <= ended["highest"] < END


def test_the_frames_are_those_of_the_graphs_rule() -> None:
    played = play(TALK, vad_backend="webrtc", mock_reply="beep", vad_speech_start_frames=4, vad_speech_end_frames=17)
    assert {(each["run"], each["needed"]) for each in margins(played, "speech_started")} == {(4, 4)}
    assert {(each["unvoiced"], each["hold"]) for each in margins(played, "speech_ended")} == {(17, 17)}


@pytest.mark.parametrize(("quiet_s", "unvoiced"), [(0.0, 0), (0.1, 3)])
def test_where_the_audio_stopped_the_silence_was_not_over(quiet_s: float, unvoiced: int) -> None:
    played = play([("quiet", 0.4), ("speech", 0.8), ("quiet", quiet_s), ("gap", 1.0)], vad_backend="webrtc")
    (ended,) = played.of("speech_ended")
    assert ended.reason == "muted"
    assert ended.hold == 10
    assert unvoiced - 2 <= ended.unvoiced <= unvoiced + 2  # the detector is a little late
    assert ended.unvoiced < ended.hold


def test_where_a_halted_reply_is_interrupted_it_is_the_voice_since_then() -> None:
    script = [("quiet", 0.4), ("speech", 0.8), ("quiet", 0.7), ("speech", 1.2), ("quiet", 2.0)]
    played = play(script, graph="cough", vad_backend="webrtc", mock_reply="tone:3")
    (barge_in,) = margins(played, "barge_in")
    assert barge_in == {"run": 25, "needed": 25, "probability": None, "threshold": None}  # 500 ms of 20
    assert [each["run"] for each in margins(played, "speech_started")] == [6, 6]


def test_a_patient_hold_is_told() -> None:
    script = [("quiet", 0.4)] + [("speech", 0.6), ("quiet", 0.15)] * 6 + [("speech", 0.6), ("quiet", 2.5)]
    played = play(script, graph="patient", vad_backend="webrtc")
    ended = [event for event in played.of("speech_ended") if event.reason == "silence"]
    assert ended[-1].hold > 10
    assert ended[-1].unvoiced == ended[-1].hold


def test_events_that_others_make_need_no_margin() -> None:
    told: list[SpeechStarted | BargeIn] = [SpeechStarted(0, ("a", 0), 0), BargeIn(0, ("a", 0), ("b", 1), 0)]  # type: ignore[arg-type]
    assert [(each.needed, each.probability) for each in told] == [(0, None)] * 2
    assert SpeechEnded(0, ("a", 0), b"", 8000, 0, 0, 0, 0, 0, "silence").hold == 0  # type: ignore[arg-type]


def test_another_margin_is_no_other_decision() -> None:
    one = {"event": "speech_started", "t": 1.0, "run": 6, "needed": 6, "probability": 0.9}
    assert differing_fields(one, {**one, "run": 4, "needed": 4, "probability": 0.8, "threshold": 0.8}) == []
    assert differing_fields(one, {**one, "run": 4, "t": 1.1}) == ["t"]
