"""Recorded calls of which a file is missing or cut short: the file is named, and what that means."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.recording.test_recording import NOTED, TALK
from tests.replay.test_wav_replay import run
from tests.stage import play

HEADER = 44  # bytes before the audio of a WAV
SAME = "events as when it was recorded"
SHORT = "shorter than the recording says: it ends in the audio of"
BROKE_OFF = "no end of the call: the recording broke off, or the file was cut short; what is there was replayed"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls") / "call"
    play(TALK, record=folder, orchestrator=NOTED)
    return folder


@pytest.fixture
def call(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "call"))


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def test_of_a_whole_call_nothing_is_said(call: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("replay", call) == 0
    said = capsys.readouterr()
    assert (SAME in said.out, said.err) == (True, "")


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("caller.wav", None, "caller.wav: there is no such file, and inputs.jsonl:1 needs its audio"),
        ("caller.wav", 0, "caller.wav: there is no audio in it, and inputs.jsonl:1 needs some"),
        ("caller.wav", HEADER + 500, f"caller.wav: {SHORT} inputs.jsonl:1"),
        ("inputs.jsonl", None, "inputs.jsonl: there is no such file"),
        ("inputs.jsonl", 0, "inputs.jsonl: there is nothing in it"),
        ("inputs.jsonl", 20, "inputs.jsonl: " + BROKE_OFF.partition(";")[0]),
    ],
)
@pytest.mark.parametrize("more", [(), ("--set", "VAD_SPEECH_END_FRAMES=20"), ("--orchestrator", "live")])
def test_a_call_of_which_nothing_can_be_replayed_is_refused(
    call: Path, name: str, size: int | None, says: str, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    if size is None:
        (call / name).unlink()
    else:
        cut(call / name, size)
    out = call.parent / "out"
    assert run("replay", call, "--out", out, *more) == 2
    said = capsys.readouterr()
    assert said.err == f"{call}: {says}; nothing of the call can be replayed\n"
    assert said.out == ""
    assert not out.exists()


def test_in_a_batch_the_others_are_replayed(call: Path, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (call / "caller.wav").unlink()
    assert run("replay", call, whole) == 1
    said = capsys.readouterr()
    assert "caller.wav: there is no such file" in said.err
    assert SAME in said.out


def test_without_the_replies_the_call_is_replayed_up_to_the_first_one(
    call: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (call / "replies.wav").unlink()
    assert run("replay", call) == 1
    (first, second, *_) = capsys.readouterr().err.splitlines()
    says = r"replies\.wav: there is no such file, and inputs\.jsonl:\d+ needs its audio; only what comes before that"
    assert re.fullmatch(rf"{call}: {says} \(\d\.\d{{3}} s of the call\) was replayed", first)
    assert "not the events that it was recorded with" in second


@pytest.mark.parametrize("name", ["caller.wav", "replies.wav"])
@pytest.mark.parametrize("more", [(), ("--set", "VAD_SPEECH_END_FRAMES=20")])
def test_audio_that_is_cut_short_is_named_before_the_comparison(
    call: Path, name: str, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    cut(call / name, (call / name).stat().st_size // 2)
    assert run("replay", call, *more) in (0, 1)
    said = capsys.readouterr().err
    says = rf"{name}: {SHORT} inputs\.jsonl:\d+; only what comes before that"
    assert re.match(rf"{call}: {says} \(\d\.\d{{3}} s of the call\) was replayed\n", said)
    assert said.count(SHORT) == 1


def test_inputs_that_are_cut_short_are_named_before_the_comparison(
    call: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut(call / "inputs.jsonl", (call / "inputs.jsonl").stat().st_size // 2)
    assert run("replay", call) == 1
    (first, second, *_) = capsys.readouterr().err.splitlines()
    assert first == f"{call}: inputs.jsonl: {BROKE_OFF}"
    assert "not the events that it was recorded with" in second


def test_a_call_whose_recording_was_killed_is_replayed_with_a_line(
    call: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, lines in (("inputs.jsonl", 250), ("events.jsonl", 2)):
        whole = (call / name).read_text().splitlines(keepends=True)
        (call / name).write_text("".join(whole[:lines]))
    assert run("replay", call) == 0
    said = capsys.readouterr()
    assert said.err == f"{call}: inputs.jsonl: {BROKE_OFF}\n"
    assert "the recording broke off; as far as it goes, the events are the same" in said.out


def test_a_call_whose_recording_was_killed_at_once_is_empty_and_says_so(
    call: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("inputs.jsonl", "events.jsonl", "caller.wav", "replies.wav"):
        (call / name).unlink()
    assert run("replay", call) == 0
    assert capsys.readouterr().err == f"{call}: inputs.jsonl: there is no such file; nothing of the call was replayed\n"
