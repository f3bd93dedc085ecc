"""When the node gets a LiveKit server of its own, and what is said where it can get none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dev_server.programs import enter, free_url, program, run
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import avoid_proxy, check_reachable, forget_logs
from webapi.voice_node.errors import UserError

ROOT = Path(__file__).parents[2]


def test_a_port_where_something_listens_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said: list[str] = []
        assert run(enter(f"ws://127.0.0.1:{other.getsockname()[1]}", said)) is False
        assert said == []


def test_none_is_started_off_loopback_or_when_it_is_turned_off(bare_machine: Path) -> None:
    program(bare_machine, "livekit-server", "exit 1")
    said: list[str] = []
    assert run(enter("wss://calls.example.com", said)) is False
    assert run(enter(free_url(), said, enabled=False)) is False
    assert said == []


def test_a_url_with_tls_is_refused_in_so_many_words() -> None:
    port = free_port("tcp", 0)
    with pytest.raises(UserError, match=f"wss://localhost:{port}: .* speaks no TLS"):
        run(enter(f"wss://localhost:{port}", []))


def test_only_a_url_on_loopback_makes_the_node_leave_a_proxy_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    assert avoid_proxy("wss://calls.example.com") == []
    assert avoid_proxy("ws://localhost:7880")
    assert "HTTP_PROXY" not in os.environ
    assert "http_proxy" not in os.environ
    assert "HTTPS_PROXY" in os.environ


def test_a_closed_port_is_named_with_what_to_do() -> None:
    url = free_url()
    with pytest.raises(UserError, match="nothing listens") as told:
        run(check_reachable(url, 5))
    assert f"LIVEKIT_URL={url}" in str(told.value)
    assert "Check host and port" in str(told.value)


def test_a_port_that_takes_no_connection_is_given_up() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(UserError, match=r"no answer within 0\.3 s"):
            run(check_reachable(f"ws://127.0.0.1:{full.getsockname()[1]}", 0.3))
        for one in waiting:
            one.close()


def test_when_all_fails_everything_that_was_tried_is_told(bare_machine: Path) -> None:
    program(bare_machine, "go", 'case "$1" in env) echo go1.26.8 ;; *) echo disk is full; exit 1 ;; esac')
    url = free_url()
    with pytest.raises(UserError) as told:
        run(enter(url, []))
    for part in (url, "no livekit-server on PATH", "no Docker engine", "disk is full", "LIVEKIT_URL"):
        assert part in str(told.value)


def test_of_the_logs_of_servers_the_newest_stay(tmp_path: Path) -> None:
    logs = [tmp_path / f"livekit-server-{port}.log" for port in range(7880, 7900)]
    for age, log in enumerate(logs):
        log.write_text("")
        os.utime(log, (1000 - age, 1000 - age))
    other = tmp_path / "livekit-server-v1.13.5"
    other.write_text("")
    forget_logs(logs[-1], keep=4)
    assert sorted(tmp_path.glob("livekit-server-*")) == sorted([*logs[:3], logs[-1], other])
    forget_logs(tmp_path / "nowhere" / "livekit-server-1.log")


def test_the_command_line_says_in_a_line_why_there_is_no_server(bare_machine: Path) -> None:
    program(bare_machine, "go", 'case "$1" in env) echo go1.26.8 ;; *) echo disk is full; exit 1 ;; esac')
    ran = subprocess.run(
        [sys.executable, "-m", "webapi.voice_node.dev_server", "--get"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "disk is full" in ran.stderr
    assert "Traceback" not in ran.stderr
