"""The programs of a cluster: their configurations, environments and ports, and what is said where one is missing."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from deploy.cluster import __main__ as command
from deploy.cluster.programs import (
    LiveKitNode,
    Prometheus,
    Redis,
    free_ports,
    livekit_config,
    node_environment,
    prometheus_config,
)
from deploy.cluster.running import cluster
from webapi.voice_node.errors import UserError

HERE = "127.0.0.1"


def test_a_livekit_node_listens_on_loopback_only_and_shares_its_rooms() -> None:
    config = livekit_config(7880, 7882, 6789, "127.0.0.1:6379")
    assert config["bind_addresses"] == [HERE]
    assert config["redis"] == {"address": "127.0.0.1:6379"}
    rtc = config["rtc"]
    assert isinstance(rtc, dict)
    assert rtc["tcp_port"] == 0
    assert rtc["udp_port"] == 7882
    assert rtc["ips"] == {"includes": ["127.0.0.1/32"]}


def test_prometheus_asks_every_worker_and_node() -> None:
    config = prometheus_config(["127.0.0.1:1", "127.0.0.1:2"], ["127.0.0.1:3"])
    assert config["scrape_configs"] == [
        {"job_name": "voice-node", "static_configs": [{"targets": ["127.0.0.1:1", "127.0.0.1:2"]}]},
        {"job_name": "livekit", "static_configs": [{"targets": ["127.0.0.1:3"]}]},
    ]


def test_a_worker_has_the_given_settings_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CALLS", "3")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "of another server")
    monkeypatch.setenv("HOME_OF_OTHERS", "kept")
    found = node_environment({"LIVEKIT_URL": "ws://localhost:1", "monitor_port": 5})
    assert "MAX_CALLS" not in found
    assert "LIVEKIT_API_SECRET" not in found
    assert (found["LIVEKIT_URL"], found["MONITOR_PORT"], found["HOME_OF_OTHERS"]) == ("ws://localhost:1", "5", "kept")


def test_ports_are_free_and_different() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(1024 <= port <= 65535 for port in ports)


@pytest.mark.parametrize("name", ["redis-server", "prometheus"])
def test_a_missing_program_is_named_with_its_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=f"no {name} on PATH.*apt-get install {name}"):
        Redis(tmp_path, 1) if name == "redis-server" else Prometheus(tmp_path, 1, [], [])


def test_a_secret_is_in_no_file_and_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "redis-server").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    node = LiveKitNode(1, tmp_path, Path("livekit-server"), Redis(tmp_path, 1), [2, 3, 4], ("key", "very-secret"))
    assert not any("very-secret" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert not any("very-secret" in word for word in node._command)
    assert node._env["LIVEKIT_KEYS"] == '{"key": "very-secret"}'


@pytest.mark.parametrize("pair", ["MAX_CALL=3", "MAX_CALLS"])
def test_a_setting_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(UserError, match="with the name of a setting"):
        command._settings([pair])


def test_a_worker_of_the_command_takes_every_new_room_unless_it_is_told_otherwise() -> None:
    assert command._settings(["max_calls=3"]) == {"LK_AGENT_NAME": "*", "MAX_CALLS": "3"}
    assert command._settings(["LK_AGENT_NAME=bot"]) == {"LK_AGENT_NAME": "bot"}


@pytest.mark.skipif(sys.platform != "linux", reason="a cluster needs Linux")
def test_what_was_started_ends_where_a_later_program_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Redis here is a program that only answers PING, and the LiveKit server one that fails."""
    started = tmp_path / "redis-server"
    started.write_text(
        f"""#!{sys.executable}
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
while True:
    client, _ = server.accept()
    client.recv(100)
    client.sendall(b"+PONG\\r\\n")
    client.close()
"""
    )
    started.chmod(0o755)
    broken = tmp_path / "livekit-server"
    broken.write_text("#!/bin/sh\necho no configuration\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    redis = Redis(tmp_path / "cluster", free_ports(1)[0])
    monkeypatch.setattr("deploy.cluster.running.Redis", lambda *_: redis)

    async def scenario() -> None:
        with pytest.raises(UserError, match=r"livekit-1 did not start\.\n  no configuration"):
            async with cluster(tmp_path / "cluster", nodes=1, workers=0):
                pytest.fail("it began")
        assert not redis.running

    asyncio.run(scenario())
