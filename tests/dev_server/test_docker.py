"""The LiveKit server in Docker."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.dev_server.programs import enter, free_url, program, run
from webapi.voice_node.dev_server import binary as binaries
from webapi.voice_node.errors import UserError

ROOT = Path(__file__).parents[2]


def test_docker_without_an_engine_or_without_compose_is_none(bare_machine: Path) -> None:
    program(bare_machine, "go", 'case "$1" in env) echo go1.26.8 ;; *) exit 1 ;; esac')
    for body in ('case "$1" in version) echo no daemon >&2; exit 1 ;; esac', '[ "$1" = version ] && echo 28.2'):
        program(bare_machine, "docker", body)
        with pytest.raises(UserError, match="no Docker engine that answers"):
            run(enter(free_url(), []))


def test_an_image_that_cannot_be_had_is_told_and_the_build_is_tried(bare_machine: Path) -> None:
    program(bare_machine, "go", 'case "$1" in env) echo go1.26.8 ;; *) echo no compiler; exit 1 ;; esac')
    program(bare_machine, "docker", 'case "$*" in *pull*) echo no such host; exit 1 ;; *) echo 28.2 ;; esac')
    said: list[str] = []
    with pytest.raises(UserError, match="no such host") as told:
        run(enter(free_url(), said))
    assert "no compiler" in str(told.value)
    assert any("no such host" in line for line in said)


def test_the_compose_file_publishes_on_loopback_alone_and_the_ports_that_the_server_tells() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.livekit.yml").read_text())["services"]["livekit"]
    assert service["image"].endswith(f":{binaries.VERSION}")
    defaults = re.compile(r"\$\{\w+:-(\w+)\}")
    published = [defaults.sub(r"\1", entry) for entry in service["ports"]]
    config = yaml.safe_load(defaults.sub(r"\1", service["command"][-1]))
    port, tcp, udp = config["port"], config["rtc"]["tcp_port"], config["rtc"]["udp_port"]
    assert published == [f"127.0.0.1:{port}:{port}/tcp", f"127.0.0.1:{tcp}:{tcp}/tcp", f"127.0.0.1:{udp}:{udp}/udp"]
    assert port == 7880
