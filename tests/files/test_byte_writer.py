"""Bytes are appended in order; after the first problem, which is told once, nothing more is written."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from webapi.voice_node.files import byte_writer, writer_thread
from webapi.voice_node.files.byte_writer import ByteWriter


def header(length: int | None) -> bytes:
    return b"?" * 4 if length is None else length.to_bytes(4, "big")


def test_files_are_written_in_order_and_get_their_headers(tmp_path: Path) -> None:
    problems: list[str] = []
    writer = ByteWriter(problems.append, max_bytes=1000)
    one, other = tmp_path / "one", tmp_path / "other"
    writer.write(one, header(None))
    for i in range(10):
        writer.write(one, bytes([i]))
        writer.write(other, bytes([i, i]))
    writer.close({one: header})
    assert one.read_bytes() == b"\0\0\0\x0a" + bytes(range(10))
    assert other.read_bytes() == bytes(i // 2 for i in range(20))
    assert problems == []


def test_too_many_bytes_are_told_once_and_what_fitted_is_whole(tmp_path: Path) -> None:
    problems: list[str] = []
    writer = ByteWriter(problems.append, max_bytes=10)
    for _ in range(5):
        writer.write(tmp_path / "a", b"four")
    writer.close({})
    assert problems == ["it has become too large"]
    assert (tmp_path / "a").read_bytes() == b"fourfour"


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    problems: list[str] = []
    told = threading.Event()

    def tell(problem: str) -> None:
        problems.append(problem)
        told.set()

    writer = ByteWriter(tell, max_bytes=1000)
    writer.write(tmp_path / "none" / "a", b"x")
    assert told.wait(60)
    writer.write(tmp_path / "b", b"x")
    writer.close({})
    assert len(problems) == 1
    assert "No such file" in problems[0]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_slow_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_writer, "WAITING", 3)
    entered, go = threading.Event(), threading.Event()

    def stall(writer: ByteWriter, item: tuple[Path, bytes]) -> None:
        entered.set()
        go.wait()
        append(writer, item)

    append = ByteWriter._append
    monkeypatch.setattr(ByteWriter, "_append", stall)
    problems: list[str] = []
    writer = ByteWriter(problems.append, max_bytes=1000)
    writer.write(tmp_path / "a", b"0")
    entered.wait()
    for _ in range(9):
        writer.write(tmp_path / "a", b"1")
    assert problems == ["the disk is too slow"]
    go.set()
    writer.close({})
    assert (tmp_path / "a").read_bytes() == b"0111"


def test_what_is_written_is_flushed_while_nothing_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_thread, "FLUSH_S", 0.01)
    flushed = threading.Event()
    flush = ByteWriter._flush

    def noted(writer: ByteWriter) -> None:
        flush(writer)
        if (tmp_path / "a").exists():
            flushed.set()

    monkeypatch.setattr(ByteWriter, "_flush", noted)
    writer = ByteWriter(print, max_bytes=1000)
    writer.write(tmp_path / "a", b"kept")
    assert flushed.wait(60)
    assert (tmp_path / "a").read_bytes() == b"kept"
    writer.close({})
