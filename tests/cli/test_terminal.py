"""What a terminal gets: lines folded between words at its width. And a pipe whose reader has ended: silence."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tests.e2e.process import COMMAND, WAIT_S, environment
from tests.replay.test_wav_replay import SETTINGS, TALK, run
from tests.report.test_summary import CUT, turn
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.cli.terminal import folded
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.replay.marble_diff import difference
from webapi.voice_node.replay.marbles import NAMES, parse, render
from webapi.voice_node.replay.wav_replay import replay
from webapi.voice_node.report.summary import summary
from webapi.voice_node.report.table import show

COMMANDS = {
    "replay": ("replay", "talk.wav", "talk.wav", "--set", "VAD_BACKEND=webrtc"),
    "comparison": ("replay", "talk.wav", "--against", "VAD_SPEECH_START_FRAMES=5", "--set", "VAD_BACKEND=webrtc"),
    "sweep": ("sweep", "talk.wav", "--grid", "VAD_SPEECH_START_FRAMES=5,6", "--set", "VAD_BACKEND=webrtc"),
    "report": ("report", "metrics.jsonl"),
    "report as JSON": ("report", "metrics.jsonl", "--json"),
    "graphs list": ("graphs", "list"),
    "graphs show": ("graphs", "show", "default"),
    "graphs schema": ("graphs", "schema"),
    "graphs check": ("graphs", "check"),
    "token": ("token", "--identity", "alice"),
    "doctor": ("doctor",),
    "version": ("--version",),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_wav(tmp_path / "talk.wav", TALK, 48_000)
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(turn(n)) + "\n" for n in range(3)))
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_whose_reader_has_ended(command: str, folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*COMMAND, *COMMANDS[command]],
            cwd=folder,
            env=environment(),
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=2 * WAIT_S,
            check=False,
        )
    finally:
        os.close(write)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr
    assert "Exception" not in done.stderr


def test_lines_are_folded_between_words() -> None:
    text = "name   some words that are too many for it\n  short  one"
    assert folded(text, 20, indent=2) == "name   some words\n  that are too many\n  for it\n  short  one"
    assert folded(text, None) == text
    assert folded("a/path/that/is/long b", 10) == "a/path/that/is/long\n    b"


def test_marbles_in_bands_of_the_width(folder: Path) -> None:
    replayed = replay(folder / "talk.wav", load_graph("default", SETTINGS), SETTINGS)
    whole, narrow = render(replayed), render(replayed, 60 - NAMES)
    assert max(map(len, narrow.split("\n\n", 1)[1].split("\n\n 0.")[0].splitlines()[:11])) <= 60
    assert parse(narrow) == parse(whole)
    for row in ("voice", "turns", "bot"):
        joined = [
            "".join(line[NAMES:] for line in text.splitlines() if line.startswith(row)) for text in (whole, narrow)
        ]
        assert joined[0] == joined[1]
    shown = difference(whole, whole.replace("S---", "-S--"), 50)
    assert max(map(len, shown.split("\n\n")[1].splitlines())) <= 60


def test_a_report_on_a_narrow_terminal_folds_labels_and_no_row() -> None:
    console = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    show(summary([turn(0), turn(1, **CUT)]), console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    (head,) = (line for line in lines if "p90" in line)
    assert head.split() == ["n", "p50", "p90", "p95", "p99", "max"]
    assert any(line.rstrip().endswith("bot audio") for line in lines)


class Terminal(io.StringIO):
    """A terminal, as far as one is asked for."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", ["replay", "sweep", "graphs list"])
def test_a_command_in_60_columns(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "60")
    with contextlib.redirect_stdout(Terminal()) as shown:
        assert run(*COMMANDS[command], *([] if command == "graphs list" else ["--jobs", 1])) == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue()).splitlines()
    assert max(map(len, lines)) <= 60
    assert len(lines) > 8
