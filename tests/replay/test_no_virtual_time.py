"""Orchestrators that can't run in virtual time: the replay names them, with the reason and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.test_wav_replay import run, talk
from webapi.voice_node.audio.wav import write_wav

__all__ = ["talk"]  # the fixture


def replayed(talk: Path, orchestrator: str, *options: str) -> int:
    return run("replay", talk, "--set", f"ORCHESTRATOR=tests.orchestrators:{orchestrator}", *options)


def test_one_that_polls_is_named_and_the_others_run(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wav(tmp_path / "silent.wav", bytes(96_000), 48_000)
    assert replayed(talk, "Polls", str(tmp_path / "silent.wav")) == 1
    said = capsys.readouterr()
    assert f"{talk}: virtual time stands still at 1.7" in said.err
    assert "something polls without waiting (orchestrators.py:" in said.err
    assert " in get_audio_reply), for example with asyncio.sleep(0)." in said.err
    assert "--pace real" in said.err
    assert "silent.wav  1.000 s" in said.out


@pytest.mark.parametrize("orchestrator", ["FedByThread", "FedByDeafThread"])
def test_a_thread_is_named(talk: Path, capsys: pytest.CaptureFixture[str], orchestrator: str) -> None:
    assert replayed(talk, orchestrator) == 1
    said = capsys.readouterr()
    assert "threads can't run in virtual time, and the orchestrator has some (speech-thread)" in said.err
    assert "--pace real" in said.err


def test_an_executor_is_named(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replayed(talk, "Resolves") == 1
    said = capsys.readouterr().out
    assert "can't run in virtual time: " in said
    assert "--pace real" in said


def test_a_process_is_named_once_for_each_reply_and_nowhere_else(
    talk: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert replayed(talk, "RunsProcess") == 1
    said = capfd.readouterr()
    assert said.out.count("can't run in virtual time: something starts a process. Replay it with --pace real") == 2
    assert said.out.endswith("\n2 replies failed\n")
    assert "Traceback" not in said.err
    assert "thread" not in said.err
    assert not caplog.records


@pytest.mark.parametrize("orchestrator", ["Threaded", "Floods", "Insists"])
def test_what_works_is_no_trouble(talk: Path, capsys: pytest.CaptureFixture[str], orchestrator: str) -> None:
    assert replayed(talk, orchestrator) == 0
    assert "thread" not in capsys.readouterr().err


def test_in_real_time_a_thread_is_no_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.speech import silence, vowel

    write_wav(tmp_path / "a.wav", silence(0.1) + vowel(0.4) + silence(0.4), 48_000)
    assert replayed(tmp_path / "a.wav", "FedByThread", "--pace", "real") == 0
    assert "playback_ended  heard 300 ms" in capsys.readouterr().out
