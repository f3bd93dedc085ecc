"""What is kept of recorded calls: the limit counts the running call, and nothing in the folder stops a recording."""

from __future__ import annotations

import json
import os
import shutil
import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from webapi.voice_node.config import load_settings
from webapi.voice_node.events import AudioChunk
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.node import live_session
from webapi.voice_node.recording import retention
from webapi.voice_node.recording.call_recorder import CallRecorder
from webapi.voice_node.recording.retention import new_recording, prune
from webapi.voice_node.room.session_port import SessionRequest


def old_call(folder: Path, name: str, megabytes: float) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "call.json").write_text("{}")
    (folder / name / "caller.wav").write_bytes(bytes(round(megabytes * 1e6)))
    return folder / name


def recording(folder: Path, said: list[str]) -> CallRecorder:
    settings = load_settings(None, record_dir=str(folder), record_max_mb=10, vad_backend="sierra")
    graph = load_graph("default", settings)
    return new_recording(
        settings, graph, session_id="s", room="r", origin_us=0, caller=CallerInfo(), on_problem=said.append
    )


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def test_a_call_names_the_node_that_recorded_it(tmp_path: Path) -> None:
    recording(tmp_path, []).close()
    (call,) = tmp_path.iterdir()
    assert json.loads((call / "call.json").read_text())["node"] == f"{socket.gethostname()}-{os.getpid()}"


def test_a_call_whose_graph_names_no_file_says_nothing_of_its_folder(tmp_path: Path) -> None:
    recording(tmp_path, []).close()
    (call,) = tmp_path.iterdir()
    assert json.loads((call / "call.json").read_text())["graph_folder"] is None


def test_the_running_call_counts_and_older_ones_go_for_it(tmp_path: Path) -> None:
    for i in range(4):
        old_call(tmp_path, f"2020010{i}-a", 2.2)
    said: list[str] = []
    recorder = recording(tmp_path, said)
    for i in range(60):
        recorder.note(AudioChunk(i, bytes(100_000), 48_000))
    recorder.close()
    assert said == []
    assert megabytes(tmp_path) <= 10
    assert [path.name for path in sorted(tmp_path.iterdir())][:1] == ["20200103-a"]


def test_a_call_that_is_too_large_alone_ends_at_the_limit(tmp_path: Path) -> None:
    old_call(tmp_path, "20200101-a", 2)
    said: list[str] = []
    recorder = recording(tmp_path, said)
    for i in range(200):
        recorder.note(AudioChunk(i, bytes(100_000), 48_000))
    recorder.close()
    assert len(said) == 1
    assert "too large" in said[0]
    assert 8 < megabytes(tmp_path) <= 10


def test_links_and_what_can_not_be_read_stop_no_recording(tmp_path: Path) -> None:
    elsewhere = old_call(tmp_path / "elsewhere", "20190101-a", 1)
    folder = tmp_path / "calls"
    old_call(folder, "20200101-a", 11)
    (folder / "20190101-link").symlink_to(elsewhere)
    (folder / "20190102-link").symlink_to(tmp_path / "nowhere")
    old_call(folder, "20190103-locked", 0.1)
    os.utime(folder / "20190103-locked" / "call.json", (0, 0))
    said: list[str] = []
    recording(folder, said).close()
    assert said == []
    assert (elsewhere / "caller.wav").exists()
    assert not (folder / "20200101-a").exists()


def test_a_call_that_can_not_be_removed_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_call(tmp_path, "20200101-a", 2)
    old_call(tmp_path, "20200102-b", 2)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    assert prune(tmp_path, max_mb=1, max_days=1) == []


def test_without_package_metadata_calls_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(retention, "version", missing)
    recording(tmp_path, []).close()
    (call,) = tmp_path.iterdir()
    assert list(json.loads((call / "call.json").read_text())["versions"]) == ["python"]


def test_the_vad_that_was_used_is_noted(tmp_path: Path) -> None:
    recording(tmp_path, []).close()
    (call,) = tmp_path.iterdir()
    header = json.loads((call / "call.json").read_text())
    assert list(header["vads"]) == ["sierra"]
    assert header["vads"]["sierra"] in ("webrtc", "confirm")
    assert "soxr" in header["versions"]


def test_a_call_that_can_not_be_recorded_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise PackageNotFoundError("voice-node")

    monkeypatch.setattr(live_session, "new_recording", fails)
    settings = load_settings(None, record_dir=str(tmp_path))
    call = cast(SessionRequest, SimpleNamespace(session_id="s", room="r"))
    assert live_session.new_recorder(call, load_graph("default", settings), settings, 0) is None
