"""One file that several processes append to: no line mixes with another, and all follow when it is made anew."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from webapi.voice_node.files import line_writer
from webapi.voice_node.files.line_writer import line_file

WRITES = """
import json, sys
from pathlib import Path
from webapi.voice_node.files.line_writer import line_file
writer = line_file(Path(sys.argv[1]), print, shared=True)
for number in range(300):
    writer.write(json.dumps({"of": sys.argv[2], "number": number, "text": "ä" * (number * 7 % 3000)}))
writer.close()
"""


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    programs = [subprocess.Popen([sys.executable, "-c", WRITES, str(path), name]) for name in "abc"]
    assert [program.wait(60) for program in programs] == [0, 0, 0]
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for name in "abc":
        assert [line["number"] for line in lines if line["of"] == name] == list(range(300))


def test_a_shared_writer_follows_the_file_that_is_made_anew(tmp_path: Path) -> None:
    path, problems = tmp_path / "lines.jsonl", list[str]()
    first, shared = line_file(path, problems.append), line_file(path, problems.append, shared=True)
    shared.write("before")
    shared.close()
    shared = line_file(path, problems.append, shared=True)
    path.rename(tmp_path / "lines.jsonl.1")
    path.touch()
    shared.write("after")
    shared.close()
    first.close()
    assert (path.read_text(), (tmp_path / "lines.jsonl.1").read_text()) == ("after\n", "before\n")
    assert problems == []


def test_a_file_that_only_others_write_to_is_kept_small_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_writer, "MAX_BYTES", 1000)
    path, problems = tmp_path / "lines.jsonl", list[str]()
    first, shared = line_file(path, problems.append), line_file(path, problems.append, shared=True)
    for _ in range(20):
        shared.write("x" * 99)
    shared.close()
    first.close()  # it looks about every second, and at its end
    assert (path.stat().st_size, (tmp_path / "lines.jsonl.1").stat().st_size) == (0, 2000)
    assert problems == []
