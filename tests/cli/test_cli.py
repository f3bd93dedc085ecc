"""The command line as its users type it: a program of its own for each line, in a folder of its own."""

from __future__ import annotations

import errno
import json
import os
from importlib.metadata import entry_points
from pathlib import Path

import jwt
import pytest

from tests.e2e.process import Ended, run_node
from tests.room.test_tokens import claims, granted
from webapi.voice_node import __version__
from webapi.voice_node.main import main, program, run_by_default, run_program

BROKEN = "version: 1\nstreams:\n  frames: {from: cellar}\noutputs: {events: frames}\n"


def refused(ended: Ended) -> str:
    """What was said by a command that the user has to mend."""
    assert ended.code == 2, ended.said
    assert "Traceback" not in ended.said
    return ended.said


# ---------------------------------------------------------------- the commands


def test_version_and_help(tmp_path: Path) -> None:
    version = run_node("--version", cwd=tmp_path)
    assert (version.code, version.out) == (0, f"voice-node {__version__}\n")
    for arguments in ((), ("run",), ("graphs", "check"), ("token",)):
        shown = run_node(*arguments, "--help", cwd=tmp_path)
        assert shown.code == 0
        assert "Usage:" in shown.out
    top = run_node("--help", cwd=tmp_path).out
    assert all(command in top for command in ("run", "replay", "sweep", "graphs", "report", "token", "doctor"))
    assert not list(tmp_path.iterdir())  # to ask leaves nothing behind


def test_run_is_the_default() -> None:
    assert run_by_default([]) == ["run"]
    assert run_by_default(["--graph", "default"]) == ["run", "--graph", "default"]
    for arguments in (["run", "--room", "x"], ["graphs", "list"], ["replay", "a.wav"], ["--help"], ["--version"]):
        assert run_by_default(arguments) == arguments


def test_it_is_installed_under_both_names() -> None:
    for name, function in (("voice-node", program), ("run-voice-node", run_program)):
        (point,) = entry_points(group="console_scripts", name=name)
        assert point.load() is function


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rooms", ""], "--rooms '': a pattern is needed"),
        (["--rooms", "a*", "--room", "b"], "--room and --rooms: only one of them"),
        (["--rooms", "a*", "--all-rooms"], "--rooms and --all-rooms: only one of them"),
    ],
)
def test_which_rooms_are_served_is_said_once(options: list[str], said: str, tmp_path: Path) -> None:
    assert said in refused(run_node("run", *options, cwd=tmp_path))


def test_what_is_no_command_or_option_is_refused(tmp_path: Path) -> None:
    assert "--grpah" in refused(run_node("--grpah", "default", cwd=tmp_path))
    assert "chekc" in refused(run_node("graphs", "chekc", cwd=tmp_path))
    said = refused(run_node("replya", "x", cwd=tmp_path))
    assert said.startswith("voice-node replya: there is no such command. Did you mean 'replay'? There are: doctor, ")


def test_every_character_can_be_written(tmp_path: Path) -> None:
    """Where the encoding has no arrows, as on Windows, and in names that are no text."""
    shown = run_node("graphs", "show", "default", cwd=tmp_path, PYTHONIOENCODING="cp1252")
    assert shown.code == 0
    assert "caller, audio 48 kHz" in shown.out
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "a\udcff.yaml").write_text("# Odd.\n" + BROKEN)
    listed = run_node("graphs", "list", cwd=tmp_path, LC_ALL="C.UTF-8")
    assert (listed.code, "Odd." in listed.out) == (0, True)


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("typer.echo", full)
    with pytest.raises(SystemExit) as ended:
        main(["graphs", "list"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "what was to be written: No space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "{closed}"],
        ["replay", "{closed}/*.wav"],
        ["replay", "{closed}/a.wav"],
        ["replay", "a.wav", "--graph", "{closed}/x.yaml"],
        ["sweep", "{closed}", "--grid", "VAD_SPEECH_START_FRAMES=4,6"],
        ["graphs", "check", "{closed}/x.yaml"],
        ["graphs", "show", "{closed}/x.yaml"],
    ],
)
def test_a_folder_that_may_not_be_entered_is_said(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "a.wav").touch()
    stat = Path.stat

    def refuse(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        """What the system does for anybody but root."""
        if closed in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(SystemExit) as ended:
        main([each.format(closed=closed) for each in arguments])
    assert ended.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]  # a note on the detector may come first
    assert line.startswith(f"{closed}/")
    assert line.endswith(": Permission denied")


def test_a_permission_that_concerns_no_file_is_an_error_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("typer.echo", refuse)
    with pytest.raises(PermissionError):
        main(["graphs", "list"])


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nonsense", "--set NAME=VALUE"),
        ("NOPE=1", "--set NOPE: there is no setting 'NOPE'. See .env.example"),
        ("VAD_BACKND=webrtc", "--set VAD_BACKND: there is no setting 'VAD_BACKND'. Did you mean 'VAD_BACKEND'?"),
        ("VAD_SPEECH_START_FRAMES=0", "VAD_SPEECH_START_FRAMES=0 (command line)"),
        ("WEB_PORT=many", "WEB_PORT=many (command line)"),
    ],
)
def test_a_wrong_set_is_said(tmp_path: Path, given: str, words: str) -> None:
    assert words in refused(run_node("run", "--set", given, cwd=tmp_path))


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LK_ROOM=of-the-file\n")

    def room(*arguments: str, **variables: str) -> str:
        made = run_node("token", "--identity", "me", *arguments, cwd=tmp_path, **variables)
        return str(granted(made.out.strip())["room"])

    assert room() == "of-the-file"
    assert room(LK_ROOM="of-the-environment") == "of-the-environment"
    assert room("--set", "LK_ROOM=of-the-line", LK_ROOM="of-the-environment") == "of-the-line"


def test_a_secret_is_never_quoted(tmp_path: Path) -> None:
    secret = "f4c3-not-to-be-seen"
    ended = run_node(
        *("run", "--set", f"LIVEKIT_API_SECRET={secret}", "--set", "LIVEKIT_URL=nowhere", "--set", "VAD_PREROLL_MS=x"),
        cwd=tmp_path,
    )
    assert secret not in refused(ended)
    assert "LIVEKIT_URL=nowhere" in ended.err


# ---------------------------------------------------------------- tokens


def test_a_token_lets_one_caller_into_one_room(tmp_path: Path) -> None:
    made = run_node("token", "--identity", "alice", "--room", "a room", "--minutes", "5", cwd=tmp_path)
    assert made.code == 0
    token = made.out.strip()
    assert claims(token).identity == "alice"
    assert granted(token) == {
        "room_join": True,
        "room": "a room",
        "can_subscribe": True,
        "can_publish": True,
        "can_publish_sources": ["microphone"],
    }
    decoded = jwt.decode(token, options={"verify_signature": False})
    assert decoded["exp"] - decoded["nbf"] == 5 * 60
    assert "identity" in refused(run_node("token", "--identity", " ", cwd=tmp_path))


def test_a_token_of_a_listener(tmp_path: Path) -> None:
    made = run_node("token", "--identity", "alice", cwd=tmp_path, LK_USER_PUBLISH_AUDIO="false")
    assert "can_publish" not in granted(made.out.strip())


# ---------------------------------------------------------------- graphs


def test_graphs_are_listed_and_checked(tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "mine.yaml").write_text("# A graph of my own.\n" + BROKEN)
    listed = run_node("graphs", "list", cwd=tmp_path)
    assert listed.code == 0
    assert "A graph of my own." in listed.out
    assert "default" in listed.out
    right = run_node("graphs", "check", "default", cwd=tmp_path)
    assert (right.code, right.out) == (0, "default: right\n")
    wrong = run_node("graphs", "check", cwd=tmp_path)
    assert wrong.code == 1
    assert "default: right" in wrong.out
    assert str(Path("graphs", "mine.yaml")) + ":4:18: " in wrong.err
    assert "'cellar'" in wrong.err
    assert run_node("graphs", "check", "nonesuch", cwd=tmp_path).code == 1
    in_folder = run_node("graphs", "check", "graphs", cwd=tmp_path)
    assert (in_folder.code, in_folder.err) == (1, wrong.err)
    assert "a folder without a graph" in refused(run_node("graphs", "check", ".", cwd=tmp_path))
    assert "graph .: a folder." in refused(run_node("graphs", "show", ".", cwd=tmp_path))


# ---------------------------------------------------------------- reports


def test_a_report_of_a_metrics_file(tmp_path: Path) -> None:
    turns = [
        {"trace_id": f"t{i}", "session_id": "s", "outcome": "completed", "heard_ms": 100 * i, "barge_in_stop_ms": None}
        for i in range(1, 4)
    ]
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(turn) + "\n" for turn in turns) + "half a line")
    shown = run_node("report", metrics, cwd=tmp_path)
    assert shown.code == 0
    assert f"{metrics}:4: " in shown.err
    numbers = json.loads(run_node("report", "--json", metrics, cwd=tmp_path).out)
    assert (numbers["turns"], numbers["skipped_lines"], numbers["outcomes"]) == (3, 1, {"completed": 3})
    metrics.write_text("nothing of ours\n")
    assert run_node("report", metrics, cwd=tmp_path).code == 2
    assert "nowhere.jsonl" in refused(run_node("report", "nowhere.jsonl", cwd=tmp_path))
