"""A tap: what flows, on disk, and no more of it than is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from reactivex import Subject

from tests.operators.build import info
from webapi.voice_node.audio.wav import read_wav
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import AudioChunk, AudioGap, Frame, ReplyAudio, Turn, Voiced
from webapi.voice_node.files.wav_tap import WavTap
from webapi.voice_node.operators.kinds import Kind
from webapi.voice_node.operators.tap import tap

RATE = 8000
AUDIO = Kind("audio", RATE)
FRAME = Frame(0, b"\3\0" * 160, RATE, 0)


def test_everything_passes_and_the_audio_of_all_kinds_is_kept(tmp_path: Path) -> None:
    source: Subject[object] = Subject()
    passed: list[object] = []
    values = [
        AudioChunk(0, b"\1\0" * 80, RATE), AudioGap(0, "muted"), ReplyAudio(0, Turn("t", 0), b"\2\0" * 10, RATE),
        FRAME, Voiced(FRAME, True),
    ]  # fmt: skip
    tap(file=str(tmp_path / "a.wav"), info=info(AUDIO))(source).subscribe(passed.append)
    for value in values:
        source.on_next(value)
    source.on_completed()
    assert passed == values
    assert read_wav(tmp_path / "a.wav") == (b"\1\0" * 80 + b"\2\0" * 10 + FRAME.pcm * 2, RATE)


def test_a_caller_who_never_hangs_up_fills_no_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wav = WavTap(path, RATE, longest_s=1)
    for _ in range(1000):
        wav.write(bytes(321 * 2))
    wav.close()
    assert len(read_wav(path)[0]) == RATE * 2
    assert path.stat().st_size == RATE * 2 + 44


def test_a_caller_who_calls_again_and_again_fills_none_either(tmp_path: Path) -> None:
    for call in range(1, 4):
        wav = WavTap(tmp_path / "a.wav", RATE, longest_s=1)
        wav.write(bytes([call, 0]) * 50)
        wav.close()
        wav.close()
        wav.write(b"late")
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
    assert read_wav(tmp_path / "a.wav")[0] == b"\3\0" * 50


def test_a_call_that_is_cut_off_closes_its_file(tmp_path: Path) -> None:
    source: Subject[object] = Subject()
    subscription = tap(file=str(tmp_path / "a.wav"), info=info(AUDIO))(source).subscribe()
    source.on_next(AudioChunk(0, b"\1\0" * 80, RATE))
    subscription.dispose()
    assert read_wav(tmp_path / "a.wav") == (b"\1\0" * 80, RATE)


def test_a_folder_that_is_not_there_is_told_before_the_call(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "a.wav", tmp_path):
        with pytest.raises(UserError, match=r"tap: .*: not a file in a folder that exists"):
            WavTap(path, RATE, longest_s=1)
