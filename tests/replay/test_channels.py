"""`--channel`: which channel of a WAV the caller is in, and what is said where that one is silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.replay.test_wav_replay import TALK, run
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.replay.wav_replay import content_hash

WEBRTC = ("--set", "VAD_BACKEND=webrtc")
HINT = "channel 0 is silent and channel 1 is not: try --channel 1"


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    """The voice is in channel 1."""
    voice = np.frombuffer(TALK, "<i2")
    path = tmp_path / "stereo.wav"
    write_wav(path, np.column_stack([np.zeros_like(voice), voice]).tobytes(), 48_000, channels=2)
    return path


def test_a_silent_channel_is_said_in_a_replay(stereo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("replay", stereo, *WEBRTC) == 0
    assert capsys.readouterr().err.count(f"{stereo}: {HINT}") == 1
    assert run("replay", stereo, *WEBRTC, "--channel", 1) == 0
    shown = capsys.readouterr()
    assert "speech_started" in shown.out
    assert "channel" not in shown.err


def test_the_channel_is_heard_as_the_same_audio_alone(stereo: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    write_wav(tmp_path / "one" / "stereo.wav", TALK, 48_000)
    run("replay", stereo, *WEBRTC, "--channel", 1, "--out", tmp_path / "a")
    run("replay", tmp_path / "one" / "stereo.wav", *WEBRTC, "--out", tmp_path / "b")
    assert (tmp_path / "a" / "marbles.txt").read_bytes() == (tmp_path / "b" / "marbles.txt").read_bytes()
    assert len({content_hash(stereo), content_hash(stereo, 1), content_hash(stereo, 2)}) == 3


def test_a_channel_that_is_not_there_is_refused_and_the_others_run(
    stereo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wav(tmp_path / "mono.wav", TALK, 48_000)
    assert run("replay", tmp_path / "mono.wav", stereo, *WEBRTC, "--channel", 1, "--jobs", 1) == 1
    shown = capsys.readouterr()
    assert "mono.wav: there is no channel 1: it has 1 channel, number 0" in shown.err
    assert "speech_started" in shown.out


def test_a_sweep_has_channels_too(stereo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = ("--grid", "VAD_SPEECH_START_FRAMES=5,6", "--jobs", 1, *WEBRTC)
    assert run("sweep", stereo, *grid) == 0
    assert capsys.readouterr().err.count(HINT) == 1
    assert run("sweep", stereo, *grid, "--channel", 1) == 0
    assert HINT not in capsys.readouterr().err
    assert run("sweep", stereo, *grid, "--channel", 2) == 2
