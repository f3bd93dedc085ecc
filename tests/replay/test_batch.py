"""Batches: side by side, told in order, and nothing left behind, however they end."""

from __future__ import annotations

import multiprocessing
import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.e2e.process import COMMAND, WAIT_S, environment, run_node
from tests.replay.test_wav_replay import SETTINGS, TALK
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.replay.batch import run_batch
from webapi.voice_node.replay.progress import BatchProgress, OnProgress
from webapi.voice_node.replay.wav_replay import replay


def batch(work: Callable[[str, OnProgress], str], items: list[str], jobs: int) -> list[str]:
    """What came of each: a result, or the text of its UserError."""
    names = [item.upper() for item in items]
    with closing(run_batch(work, items, names, jobs, BatchProgress([1.0] * len(items), "files"))) as results:
        return [str(result) for result in results]


def until(look: Callable[[], object]) -> None:
    """Wait for a condition; it fails where that takes too long."""
    until_s = time.monotonic() + WAIT_S
    while not look():
        assert time.monotonic() < until_s
        time.sleep(0.01)


# ---------------------------------------------------------------- works, as other processes get them


def shout(item: str, tell: OnProgress) -> str:
    tell(1.0)
    if item == "wrong":
        raise UserError("wrong: that is wrong")
    return item + "!"


def second_first(item: str, _: OnProgress) -> str:
    """`…/1` is done when `…/2` is."""
    if item.endswith("1"):
        until(Path(item).with_name("2").exists)
    else:
        Path(item).touch()
    return item


def dies(item: str, _: OnProgress) -> str:
    if item == "killer":
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def stumbles(item: str, _: OnProgress) -> str:
    if item == "bug":
        raise ValueError("a bug")
    return item


def stays(item: str, _: OnProgress) -> str:
    if item == "endless":
        signal.pause()
    return item


# ---------------------------------------------------------------- the batch


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_results_come_in_order_and_errors_in_their_place(jobs: int) -> None:
    assert batch(shout, ["a", "wrong", "b", "c"], jobs) == ["a!", "wrong: that is wrong", "b!", "c!"]
    assert batch(shout, [], jobs) == []


def test_they_run_side_by_side_and_are_told_in_order(tmp_path: Path) -> None:
    items = [str(tmp_path / "1"), str(tmp_path / "2")]
    assert batch(second_first, items, 2) == items


def test_a_process_that_dies_is_told_by_name_and_the_others_run() -> None:
    a, killer, b, c = batch(dies, ["a", "killer", "b", "c"], 2)
    assert (a, b, c) == ("a", "b", "c")
    assert killer.startswith("KILLER: the process that worked on it died")


def test_an_error_of_the_program_ends_it_and_leaves_nothing_running() -> None:
    before = set(multiprocessing.active_children())
    with pytest.raises(ValueError, match="a bug"):
        batch(stumbles, ["a", "bug", "b"], 2)
    assert set(multiprocessing.active_children()) <= before


def test_who_wants_no_more_leaves_nothing_running() -> None:
    before = set(multiprocessing.active_children())
    with closing(run_batch(stays, ["a", "endless"], ["a", "b"], 2, BatchProgress([1.0, 1.0], "files"))) as results:
        assert next(results) == "a"
        assert set(multiprocessing.active_children()) > before
    assert set(multiprocessing.active_children()) <= before


def test_ctrl_c_waits_until_no_lock_is_held_and_a_second_one_does_not() -> None:
    before, handler = set(multiprocessing.active_children()), signal.getsignal(signal.SIGINT)
    with closing(run_batch(shout, ["a", "b", "c"], ["a", "b", "c"], 2, BatchProgress([1.0] * 3, "files"))) as results:
        assert next(results) == "a!"
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            next(results)
    assert set(multiprocessing.active_children()) <= before
    assert signal.getsignal(signal.SIGINT) is handler


# ---------------------------------------------------------------- replays


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, times in (("a", 3), ("b", 1), ("c", 2)):
        write_wav(folder / f"{name}.wav", TALK * times, 48_000)
    (folder / "bad.wav").write_text("hello")
    return folder


def test_jobs_change_no_byte(corpus: Path, tmp_path: Path) -> None:
    ended = [
        run_node("replay", "corpus", "--jobs", str(jobs), "--out", f"out{jobs}", cwd=tmp_path, VAD_BACKEND="webrtc")
        for jobs in (1, 2)
    ]
    assert ended[0] == ended[1]
    assert ended[0].code == 1
    assert ended[0].err == f"{Path('corpus', 'bad.wav')}: not a WAV file (it does not begin with RIFF … WAVE)\n"
    files = [{p.relative_to(out): p.read_bytes() for p in out.rglob("*.*")} for out in sorted(tmp_path.glob("out*"))]
    assert len(files[0]) >= 3 * 4
    assert files[0] == files[1]


def test_on_a_terminal_there_is_a_bar_and_none_of_it_in_the_output(corpus: Path, tmp_path: Path) -> None:
    (corpus / "bad.wav").unlink()
    piped = run_node("replay", "corpus", cwd=tmp_path, VAD_BACKEND="webrtc")
    assert piped.err == ""
    terminal, its_end = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "replay", "corpus", "--jobs", "2"],
        cwd=tmp_path,
        env=environment(VAD_BACKEND="webrtc", TERM="xterm", COLUMNS=100),
        stdout=subprocess.PIPE,
        stderr=its_end,
        text=True,
    ) as program:
        os.close(its_end)
        shown: list[bytes] = []
        looks = threading.Thread(target=look_at, args=(terminal, shown))
        looks.start()
        out, _ = program.communicate(timeout=2 * WAIT_S)
        looks.join()
    assert out == piped.out
    assert "of 3 files" in b"".join(shown).decode()
    assert "× real time" in b"".join(shown).decode()


def look_at(terminal: int, shown: list[bytes]) -> None:
    """Read what a program writes to its terminal until it has left that."""
    with suppress(OSError):
        while piece := os.read(terminal, 1000):
            shown.append(piece)
    os.close(terminal)


def test_ctrl_c_ends_it_at_once_and_every_process_of_it(tmp_path: Path) -> None:
    for name, times in (("a", 1), ("b", 100), ("c", 100)):
        write_wav(tmp_path / f"{name}.wav", TALK * times, 48_000)
    with subprocess.Popen(
        [*COMMAND, "replay", "a.wav", "b.wav", "c.wav", "--jobs", "2", "--out", "out"],
        cwd=tmp_path,
        env=environment(VAD_BACKEND="webrtc"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("a.wav")
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to all of them
        out, err = program.communicate(timeout=WAIT_S)  # to the end of the pipes, which each process of it holds
    assert program.returncode == 130
    assert "b.wav" not in out
    assert "Traceback" not in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_a_long_recording_tells_how_far_it_is(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", TALK, 48_000)
    told: list[float] = []
    replayed = replay(tmp_path / "a.wav", load_graph("default", SETTINGS), SETTINGS, on_progress=told.append)
    assert told == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert replayed.seconds == 5.8
