"""What each graph in graphs/ teaches is so: every one is run in virtual time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.graph.our_graphs import our_graphs
from tests.orchestrators import Noted
from tests.speech import silence, vowel
from tests.stage import play
from webapi.voice_node.audio.wav import read_wav, write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.graph.files import load_graph, opening_line
from webapi.voice_node.replay.wav_replay import replay

PAUSE = [("quiet", 0.3), ("speech", 0.8), ("quiet", 0.5), ("speech", 0.8), ("quiet", 4.0)]
TALK_OVER = [("quiet", 0.3), ("speech", 1.0), ("quiet", 1.0), ("speech", 1.0), ("quiet", 4.0)]


def loudness(pcm: bytes) -> float:
    return float(np.sqrt((np.frombuffer(pcm, "<i2").astype(float) ** 2).mean()))


@pytest.mark.parametrize("path", our_graphs().values(), ids=lambda path: path.stem)
def test_every_graph_says_what_it_is_for_and_what_to_look_for(path: Path) -> None:
    assert opening_line(path).endswith((".", "?"))
    second = path.read_text(encoding="utf-8").splitlines()[1]
    assert second.startswith("# Look for: ") or path.stem == "default"  # whose every line has a note of its own


def test_default_a_talked_over_reply_is_cut_at_once() -> None:
    played = play(TALK_OVER, mock_reply="tone:2")
    assert [line["outcome"] for line in played.lines] == ["barged_in", "completed"]


def test_vad_only_gives_turns_and_no_sound() -> None:
    played = play(PAUSE, graph="vad-only")
    assert played.marbles() == "SESE"
    assert played.ear.pushes == []
    assert {line["t3_logic_start"] for line in played.lines} == {None}
    assert not played.failures


def test_echo_says_back_what_was_said() -> None:
    played = play([("speech", 1.0), ("quiet", 4.0)], graph="echo", mock_reply="beep")
    (line,), (ended,) = played.lines, played.of("speech_ended")
    assert (line["outcome"], line["heard_ms"]) == ("completed", len(ended.pcm) // 16)
    assert loudness(played.ear.heard(0, 9)) == pytest.approx(loudness(ended.pcm), rel=0.02)


def test_patient_takes_a_pause_for_a_pause() -> None:
    assert [len(play(PAUSE, graph=name).of("speech_ended")) for name in ("default", "patient")] == [2, 1]


def test_no_barge_in_lets_the_bot_finish() -> None:
    played = play(TALK_OVER, graph="no-barge-in", mock_reply="tone:3")
    (line,) = played.lines
    assert (line["outcome"], line["heard_ms"]) == ("completed", 3000)
    assert played.ear.clears == []


def test_no_barge_in_hears_who_talks_on_from_where_the_bot_ended() -> None:
    talk_on = [("quiet", 0.3), ("speech", 1.0), ("quiet", 1.0), ("speech", 3.0), ("quiet", 4.0)]
    played = play(talk_on, graph="no-barge-in", mock_reply="tone:2")
    over, again = played.of("playback_ended")[0], played.of("speech_started")[1]
    assert over.completed
    assert 0 <= again.t_first_voiced_us - over.t_us <= 20_000
    assert [line["outcome"] for line in played.lines] == ["completed", "completed"]


def test_cough_halts_at_a_cough_and_ends_at_a_word() -> None:
    coughs = [("quiet", 0.3), ("speech", 1.0), ("quiet", 1.0), ("speech", 0.2), ("quiet", 1.5)]
    played = play([*coughs, ("speech", 1.0), ("quiet", 5.0)], graph="cough", mock_reply="tone:4")
    assert played.marbles() == "SEQPSHERSHBCpEQPZp"
    cough, first, words = played.lines
    assert (first["outcome"], first["barge_in"]) == ("barged_in", True)
    assert (cough["outcome"], cough["speech_end"], cough["t3_logic_start"]) == ("empty", "cough", None)
    assert (words["outcome"], words["heard_ms"]) == ("completed", 4000)
    # The bot was silent from the first frames on, and what it had said until then, the cough left out, is what counts.
    (halt, again), (resume,) = played.of("playback_paused"), played.of("playback_resumed")
    assert played.ear.clears == [halt.t_us, again.t_us]
    assert played.ear.heard(halt.t_us / 1e6, resume.t_us / 1e6) == b""
    assert first["heard_ms"] == again.heard_ms == pytest.approx(len(played.ear.heard(0, again.t_us / 1e6)) / 96, abs=1)
    (barge,) = played.of("barge_in")
    assert first["barge_in_stop_ms"] == (again.t_us - barge.t_first_voiced_us) / 1000 == 100
    assert 0.48 <= (barge.t_us - barge.t_first_voiced_us) / 1e6 <= 0.54


def test_cough_hears_the_words_whole_and_asks_nobody_about_the_cough() -> None:
    coughs = [("quiet", 0.3), ("speech", 1.0), ("quiet", 1.0), ("speech", 0.2), ("quiet", 1.0)]
    played = play([*coughs, ("speech", 1.0), ("quiet", 4.0)], graph="cough", orchestrator="tests.orchestrators:Noted")
    assert not played.failures
    assert [trace for name, trace in Noted.last.calls if name == "get_audio_reply"] == ["s-0000", "s-0002"]
    assert [name for name, trace in Noted.last.calls if trace == "s-0001"] == ["on_speech_started"]
    _, words = Noted.last.utterances
    assert 1.3 <= len(words) / 16_000 <= 1.5  # pre-roll, a second, the pause
    assert b"".join(Noted.last.partials).endswith(words)


def test_cough_takes_no_more_of_a_flood_while_the_reply_halts() -> None:
    script = [("speech", 0.5), *[("quiet", 0.8), ("speech", 0.2)] * 8, ("quiet", 0.5)]
    played = play(script, graph="cough", orchestrator="tests.orchestrators:FloodsForever")
    assert len(played.of("playback_paused")) == 8
    assert played.deepest_ms <= 440  # ahead_ms, whatever time was lost
    assert not played.failures


@pytest.mark.parametrize(("rule", "says", "turns"), [("both", True, 1), ("both", False, 0), ("either", False, 1)])
def test_two_vads_vote(monkeypatch: pytest.MonkeyPatch, rule: str, says: bool, turns: int) -> None:
    other = ModuleType("sierra")  # the slot for a VAD of that name: one that always says the same

    class VoiceActivityDetector:
        def __init__(self, rate: int, frame_ms: int) -> None:
            assert (rate, frame_ms) == (16_000, 20)

        def is_speech(self, frame: bytes) -> bool:
            return says

    other.VoiceActivityDetector = VoiceActivityDetector  # type: ignore[attr-defined]  # a module is made as it goes
    monkeypatch.setitem(sys.modules, "sierra", other)
    text = our_graphs()["two-vads"].read_text(encoding="utf-8").replace("rule: both", f"rule: {rule}")
    played = play([("quiet", 0.3), ("speech", 1.0), ("quiet", 4.0)], graph_text=text, vad_backend="sierra")
    assert not played.failures
    assert [line["outcome"] for line in played.lines] == ["completed"] * turns
    assert {ended.rate for ended in played.of("speech_ended")} <= {8000}


def test_two_vads_are_one_row_of_the_picture(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", silence(0.5) + vowel(1.0) + silence(1.0), 48_000)
    settings = load_settings(vad_backend="webrtc")
    rows = [replay(tmp_path / "a.wav", load_graph(name, settings), settings).voiced for name in ("default", "two-vads")]
    assert len(rows[0]) == len(rows[1])
    assert sum(rows[1]) <= sum(rows[0])


def test_tap_keeps_what_the_vad_hears_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = [("quiet", 0.5), ("speech", 1.0), ("quiet", 3.0)]
    tapped, plain = (play(script, graph=name, mock_reply="tone:1") for name in ("tap", "default"))
    assert tapped.events == plain.events
    pcm, rate = read_wav(tmp_path / "tap.wav")
    assert rate == 8000
    assert len(pcm) / 16_000 == pytest.approx(4.5, abs=0.01)
    (ended,) = tapped.of("speech_ended")
    assert ended.pcm in pcm


def test_wideband_is_16_khz_all_the_way_whatever_the_settings_say() -> None:
    played = play([("speech", 1.0), ("quiet", 4.0)], graph="wideband", mock_reply="tone:1", audio_target_rate=8000)
    (line,), (ended,) = played.lines, played.of("speech_ended")
    assert ended.rate == 16_000
    assert len(ended.pcm) / 32_000 == pytest.approx((ended.t_last_byte_us - ended.t_first_byte_us) / 1e6)
    assert (line["outcome"], line["heard_ms"]) == ("completed", 1000)
    heard = np.frombuffer(played.ear.heard(0, 9), "<i2").astype(float)
    assert np.abs(np.fft.rfft(heard)).argmax() == 440  # cycles in its second: neither too high nor too low


def test_duck_is_soft_at_a_cough_and_ends_at_a_word() -> None:
    coughs = [("quiet", 0.3), ("speech", 1.0), ("quiet", 1.0), ("speech", 0.2), ("quiet", 1.5)]
    played = play([*coughs, ("speech", 1.0), ("quiet", 5.0)], graph="duck", mock_reply="tone:4")
    assert played.marbles() == "SEQPVSLEVSBCpEQPZp"
    cough, first, words = played.lines
    assert (first["outcome"], first["barge_in"]) == ("barged_in", True)
    assert (first["ducked"], first["duck_restored"], first["duck_stopped"]) == (2, 1, 1)
    assert (cough["outcome"], cough["speech_end"], cough["t3_logic_start"]) == ("empty", "cough", None)
    assert (words["outcome"], words["heard_ms"]) == ("completed", 4000)
    (soft, again), (loud,) = played.of("playback_ducked"), played.of("playback_restored")
    (barge,) = played.of("barge_in")
    assert played.ear.clears == [barge.t_us]
    # It was never silent before it was stopped, 15 dB softer, and all of it counts as heard.
    assert first["heard_ms"] == pytest.approx(len(played.ear.heard(0, barge.t_us / 1e6)) / 96, abs=1)
    before, between = played.ear.heard(0, soft.t_us / 1e6), played.ear.heard(soft.t_us / 1e6, loud.t_us / 1e6)
    assert len(between) / 96 == pytest.approx((loud.t_us - soft.t_us) / 1000, abs=1)
    assert 20 * np.log10(loudness(between[2000:]) / loudness(before[2000:])) == pytest.approx(-15, abs=0.3)
    assert first["duck_ms"] == (soft.t_us - soft.t_first_voiced_us) / 1000 <= 60
    assert barge.t_us > again.t_us


def test_duck_closes_the_reply_that_it_stops_and_asks_nobody_about_a_cough() -> None:
    coughs = [("quiet", 0.3), ("speech", 1.0), ("quiet", 1.0), ("speech", 0.2), ("quiet", 0.4)]
    played = play([*coughs, ("speech", 1.0), ("quiet", 4.0)], graph="duck", orchestrator="tests.orchestrators:Noted")
    assert not played.failures
    assert played.tasks_left == 0
    assert [trace for name, trace in Noted.last.calls if name == "get_audio_reply"] == ["s-0000", "s-0002"]
    assert [name for name, trace in Noted.last.calls if trace == "s-0001"] == ["on_speech_started"]
    names = [name for name, trace in Noted.last.calls if trace == "s-0000"]
    assert names.index("stop_playback") < names.index("on_barge_in_detected")


@pytest.mark.parametrize("ends", ["gap", "cut"])
def test_duck_is_over_with_the_callers_audio(ends: str) -> None:
    script = [("quiet", 0.3), ("speech", 1.0), ("quiet", 1.0), ("speech", 0.1), (ends, 2.0), ("quiet", 3.0)]
    played = play(script, graph="duck", mock_reply="tone:4")
    assert not played.failures
    names = [name for name in played.names if name.startswith("playback_")]
    if ends == "gap":  # muted: the bot goes on, loud
        assert names == ["playback_started", "playback_ducked", "playback_restored", "playback_ended"]
        assert [line["outcome"] for line in played.lines if line["heard_ms"]] == ["completed"]
    else:  # nobody hears it any more
        assert names[-1] == "playback_ended"
        assert [line["outcome"] for line in played.lines if line["heard_ms"]] == ["closed"]
