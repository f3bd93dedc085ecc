"""Lines are written in order, a slow or full place holds nobody up, and files don't grow without end."""

from __future__ import annotations

import errno
import io
import logging
import threading
from pathlib import Path

import pytest

from webapi.voice_node.files import line_writer as lines
from webapi.voice_node.files.line_writer import LineWriter, line_file


class Stalled(io.StringIO):
    """A place that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.go.wait()
        return super().write(text)


class Full(io.StringIO):
    """A disk that is full until `full` is False."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_lines_arrive_in_order_and_are_flushed_by_close(tmp_path: Path) -> None:
    problems: list[str] = []
    writer = line_file(tmp_path / "x.log", problems.append)
    for i in range(2000):
        writer.write(f"line {i}")
    assert writer.close()
    assert (tmp_path / "x.log").read_text().splitlines() == [f"line {i}" for i in range(2000)]
    assert problems == []


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    for text in ("one", "two"):
        writer = line_file(tmp_path / "x.log", print)
        writer.write(text)
        assert writer.close()
    assert (tmp_path / "x.log").read_text() == "one\ntwo\n"


def test_a_place_that_stalls_holds_nobody_up_and_what_did_not_fit_is_counted() -> None:
    place, problems = Stalled(), list[str]()
    writer = LineWriter(logging.StreamHandler(place), problems.append)
    writer.write("first")
    place.entered.wait()
    for i in range(lines.WAITING + 7):
        writer.write(str(i))
    assert not writer.close(timeout_s=0.01)  # bounded, and says that not all is written
    place.go.set()
    assert writer.close(timeout_s=60)
    assert problems == ["7 lines were dropped, writing was too slow"]
    assert place.getvalue().splitlines() == ["first", *map(str, range(lines.WAITING))]


def test_a_full_disk_is_told_once_and_again_after_it_worked() -> None:
    place, problems = Full(), list[str]()
    told = threading.Event()

    def tell(problem: str) -> None:
        problems.append(problem)
        told.set()

    writer = LineWriter(logging.StreamHandler(place), tell)
    for _ in range(50):
        writer.write("lost")
    told.wait()
    assert len(problems) == 1
    assert "No space left" in problems[0]
    assert writer.close()
    assert len(problems) == 1

    place.full = False
    writer = LineWriter(logging.StreamHandler(place), tell)
    writer.write("kept")
    assert writer.close()
    assert place.getvalue() == "kept\n"


def test_a_listener_that_fails_does_not_stop_the_writing() -> None:
    place = Full()

    def closed(problem: str) -> None:
        place.full = False  # from here on there is room
        raise ValueError("I/O operation on closed file")

    writer = LineWriter(logging.StreamHandler(place), closed)
    writer.write("lost")
    writer.write("kept")
    assert writer.close()
    assert place.getvalue() == "kept\n"


def test_files_are_rotated_and_only_so_many_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_BYTES", 1000)
    writer = line_file(tmp_path / "x.log", print)
    for i in range(200):
        writer.write(f"{i:099}")
    assert writer.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["x.log", "x.log.1", "x.log.2", "x.log.3", "x.log.4"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert (tmp_path / "x.log").read_text().splitlines()[-1] == f"{199:099}"


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    writer = line_file(tmp_path / "x.log", print)
    writer.write("caf\u00e9 \udcff")
    assert writer.close()
    assert (tmp_path / "x.log").read_bytes() == "café \\udcff\n".encode()
