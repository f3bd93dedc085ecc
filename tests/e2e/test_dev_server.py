"""The real LiveKit server as the node starts it: on loopback alone, with the key it is given, ended with the node."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from livekit import api, rtc

from tests.e2e.caller import Caller
from tests.e2e.conftest import LiveKitServer
from tests.e2e.process import NodeProcess
from tests.e2e.rooms import caller
from tests.speech import silence, vowel
from webapi.voice_node.config import DEV_KEY, load_settings
from webapi.voice_node.dev_server.binary import find_server
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server, listens
from webapi.voice_node.room.tokens import mint

ROOT = Path(__file__).parents[2]
MINE = "a-secret-of-my-own-long-enough-for-no-warning"

# A node as small as can be: starts a server, says so, and after each Ctrl-C whether it is still there.
NODE = """
import asyncio, signal, sys
from webapi.voice_node.dev_server.server import dev_server, listens

async def main():
    pressed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, pressed.set)
    async with dev_server(sys.argv[1], say=lambda line: None):
        print("started", flush=True)
        await pressed.wait()
        print("there" if await listens(sys.argv[1]) else "gone", flush=True)

asyncio.run(main())
"""

CALLER = """
import asyncio, sys
from livekit import rtc
from webapi.voice_node.config import load_settings
from webapi.voice_node.dev_server.server import dev_server
from webapi.voice_node.room.tokens import mint

async def main(url):
    async with dev_server(url):
        room = rtc.Room()
        await room.connect(url, mint(load_settings(None, livekit_url=url), "alice", "demo"))
        print("joined")
        await room.disconnect()

asyncio.run(main(sys.argv[1]))
"""


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def free_url() -> str:
    return f"ws://127.0.0.1:{free_port('tcp', 0)}"


async def until_gone(url: str) -> None:
    """Wait until nothing listens there; `run` bounds how long."""
    while await listens(url):  # noqa: ASYNC110 - another process ends, which tells nobody
        await asyncio.sleep(0.05)


def test_it_serves_while_the_block_runs_and_a_second_node_uses_it() -> None:
    async def scenario() -> None:
        url, said = free_url(), list[str]()
        async with dev_server(url, say=said.append) as first, dev_server(url, say=said.append) as second:
            assert (first, second) == (True, False)
            room = rtc.Room()
            await room.connect(url, mint(load_settings(None, livekit_url=url), "alice", "demo"))
            # It stays in the room, which must not keep the server.
        assert not await listens(url)
        await room.disconnect()
        assert len(said) == 1
        assert url in said[0]

    run(scenario())


def test_two_live_side_by_side_also_where_another_has_the_port_for_media() -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            urls = free_url(), f"ws://127.0.0.1:{other.getsockname()[1]}"
            async with dev_server(urls[0], say=lambda _: None) as one, dev_server(urls[1], say=lambda _: None) as two:
                assert one
                assert two
                for url in urls:
                    await hear_each_other(url)

    run(scenario())


async def hear_each_other(url: str) -> None:
    """One speaks, and the other hears it: media too goes through that server."""
    settings = load_settings(None, livekit_url=url)
    alice, bob = (mint(settings, name, "demo") for name in ("alice", "bob"))
    async with Caller(url, alice) as speaker, Caller(url, bob, mic=False) as listener:
        await speaker.say(vowel(10), wait=False)
        await listener.wait_for_sound()


def test_a_proxy_is_left_aside_which_the_sdk_would_ask_for_loopback() -> None:
    environment = {**os.environ, "HTTP_PROXY": f"http://127.0.0.1:{free_port('tcp', 0)}", "NO_PROXY": "*"}
    ran = subprocess.run(
        [sys.executable, "-c", CALLER, free_url()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.splitlines()[-1:] == ["joined"], ran.stderr
    assert ran.stdout.startswith("HTTP_PROXY is left aside")


def test_it_knows_the_key_that_it_is_given_and_no_other() -> None:
    async def scenario() -> None:
        url, secret = free_url(), 'a "quoted": secret, # and all that'
        async with dev_server(url, "mine", secret, say=lambda _: None):
            http = url.replace("ws", "http", 1)
            async with api.LiveKitAPI(http, "mine", secret) as server:
                assert not (await server.room.list_rooms(api.ListRoomsRequest())).rooms
            async with api.LiveKitAPI(http, DEV_KEY, "a-secret-of-the-right-length-for-a-key") as server:
                with pytest.raises(api.TwirpError, match="status=401"):
                    await server.room.list_rooms(api.ListRoomsRequest())

    run(scenario())


def test_media_too_is_on_loopback_alone(livekit_server: LiveKitServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, pytest.raises(OSError, match="in use"):
        probe.bind(("127.0.0.1", livekit_server.port))  # the server's own
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, socket.socket() as tcp:
        probe.bind(("127.0.0.2", livekit_server.port))  # would be in use, were it bound to everything
        tcp.bind(("127.0.0.2", livekit_server.port))


def start_node(url: str) -> subprocess.Popen[str]:
    node = subprocess.Popen(
        [sys.executable, "-c", NODE, url], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert node.stdout
    assert node.stdout.readline() == "started\n"
    return node


def test_a_node_that_is_killed_takes_the_server_with_it() -> None:
    url = free_url()
    with start_node(url) as node:
        node.kill()
    run(until_gone(url))


def test_ctrl_c_reaches_the_node_alone_which_ends_the_server_after_it_has_left() -> None:
    url = free_url()
    with start_node(url) as node:
        os.killpg(node.pid, signal.SIGINT)  # as a terminal does: to all that run in it
        assert node.stdout
        assert node.stdout.read() == "there\n"
        assert node.wait() == 0
    run(until_gone(url))


def kill_server(url: str) -> None:
    """Kill the server at that URL, as a crash does, and not its keeper."""
    port = json.dumps({"port": urlsplit(url).port})[1:-1]
    for commands in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = commands.read_text()
            if port in command and "keeper.py" not in command:
                os.kill(int(commands.parent.name), signal.SIGKILL)


def test_a_server_that_crashes_is_started_again_and_given_up_where_it_does_not_stay(tmp_path: Path) -> None:
    async def scenario() -> None:
        url = free_url()
        async with NodeProcess(tmp_path, url, "demo") as node:
            kill_server(url)
            await node.until(lambda: node.logged("server_started"), "the server back")
            await node.until(lambda: node.logged("reconnected"), "the node back in its room")
            async with caller(url, "demo") as alice:
                await alice.say(vowel(0.5) + silence(0.5))
                await alice.wait_for_event("turn")
            while node.running:
                kill_server(url)
                await asyncio.sleep(0.1)
            assert await node.ended() == 2
            assert "The local LiveKit server has ended 4 times within 60 s." in node.err
            assert "Traceback" not in node.err

    run(scenario())


def test_it_comes_back_on_the_same_port(livekit_server: LiveKitServer) -> None:
    livekit_server.restart()
    assert run(listens(livekit_server.url))
    livekit_server.stop()
    assert not run(listens(livekit_server.url))
    livekit_server.start()
    assert run(listens(livekit_server.url))


def test_the_command_line_prints_where_the_program_is_and_nothing_else() -> None:
    command = [sys.executable, "-m", "webapi.voice_node.dev_server", "--get"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{find_server()}\n"


def test_docker_runs_what_the_compose_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compose file's own command, run by a stand-in for Docker that has the real server in it, on loopback."""
    programs = tmp_path / "programs"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(f"#!{sys.executable}\n{DOCKER.replace('SERVER', json.dumps(str(find_server())))}")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    async def scenario() -> None:
        url, said = free_url(), list[str]()
        async with dev_server(url, "mine", MINE, say=said.append) as started:
            assert started
            async with api.LiveKitAPI(url.replace("ws", "http", 1), "mine", MINE) as server:
                await server.room.list_rooms(api.ListRoomsRequest())
        await until_gone(url)

    run(scenario())


DOCKER = """
import os, re, sys
import yaml
if "up" in sys.argv:
    text = open(sys.argv[sys.argv.index("--file") + 1]).read()
    text = re.sub(r"\\$\\{(\\w+):-[^}]*\\}", lambda v: os.environ[v[1]].replace('"', '\\\\"'), text)
    service = yaml.safe_load(text)["services"]["livekit"]
    os.environ.update(service["environment"])
    command = [part.replace("0.0.0.0", "127.0.0.1") for part in service["command"]]
    os.execv(SERVER, ["livekit-server", *command])
print("28.2.2")
"""
