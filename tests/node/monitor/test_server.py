"""The pages /metrics, /healthz and /readyz: what they say, what they never say, and where they can't be served."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from tests.node.monitor.stories import line, shown
from tests.node.serving import client_of, run
from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.node.monitor.monitor import Monitor
from webapi.voice_node.node.monitor.server import MonitorServer

SECRET = "a secret of at least thirty-two characters"


def make_settings(**given: object) -> Settings:
    return pinned_settings(**{"monitor_port": 0, "livekit_api_secret": SECRET, "lk_room": "support-ada", **given})


def serving(monitor: Monitor) -> AbstractAsyncContextManager[tuple[aiohttp.ClientSession, str]]:
    return client_of(MonitorServer(make_settings(), monitor))


def test_the_metrics_are_served_as_prometheus_reads_them() -> None:
    async def scenario() -> None:
        monitor = Monitor()
        monitor.on_turn(line())
        async with serving(monitor) as (client, url):
            answer = await client.get(f"{url}/metrics")
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert shown(await answer.read())["voice_node_caller_wait_seconds_count", ()] == 1

    run(scenario())


def test_it_is_healthy_while_its_loop_turns() -> None:
    async def scenario() -> None:
        async with serving(Monitor()) as (client, url):
            answer = await client.get(f"{url}/healthz")
            said = await answer.json()
            assert (answer.status, said["status"]) == (200, "ok")
            assert set(said) == {"status", "since", "up_seconds"}
            assert said["since"].endswith("+00:00")

    run(scenario())


def test_it_says_why_it_is_not_ready() -> None:
    async def scenario() -> None:
        monitor = Monitor(max_calls=1)
        async with serving(monitor) as (client, url):
            for why, text in (
                (None, "the node is starting\n"),
                ("server_unreachable", "the LiveKit server can't be reached\n"),
                ("draining", "the node takes no more calls, and ends when those in progress are over\n"),
                ("ws://internal.example/?token=abc", "the node can't take calls; its log says why\n"),
            ):
                if why is not None:
                    monitor.not_ready(why)  # type: ignore[arg-type]  # the last one is no reason
                answer = await client.get(f"{url}/readyz")
                assert (answer.status, await answer.text()) == (503, text)
                assert (await client.get(f"{url}/healthz")).status == 200
            monitor.not_ready(None)
            answer = await client.get(f"{url}/readyz")
            assert answer.status == 200
            assert await answer.json() == {"status": "ready", "calls": 0, "max_calls": 1, "full": False}

    run(scenario())


def test_a_full_node_is_ready_and_says_that_it_is_full() -> None:
    async def scenario() -> None:
        monitor = Monitor(max_calls=1)
        monitor.not_ready(None)
        monitor.call_started()
        async with serving(monitor) as (client, url):
            answer = await client.get(f"{url}/readyz")
            assert (answer.status, (await answer.json())["full"]) == (200, True)

    run(scenario())


def test_no_page_tells_a_secret_or_a_name() -> None:
    async def scenario() -> None:
        monitor = Monitor()
        monitor.on_turn(line(room="support-ada", session_id="ada"))
        async with serving(monitor) as (client, url):
            for page in ("metrics", "healthz", "readyz", "", "nothing"):
                answer = await client.get(f"{url}/{page}")
                said = await answer.text() + str(answer.headers)
                assert SECRET not in said
                assert "ada" not in said

    run(scenario())


def test_a_taken_port_is_said_with_what_to_do() -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = MonitorServer(make_settings(monitor_port=port), Monitor())
            with pytest.raises(UserError, match=rf"MONITOR_HOST=127\.0\.0\.1, MONITOR_PORT={port}.*MONITOR_PORT=0"):
                await server.start()
            await server.stop()

    run(scenario())


def test_an_address_that_is_not_this_machines_is_said() -> None:
    async def scenario() -> None:
        server = MonitorServer(make_settings(monitor_host="203.0.113.9"), Monitor())
        with pytest.raises(
            UserError, match=r"no address of this machine.*MONITOR_HOST=0\.0\.0\.0 serves|MONITOR_HOST=0"
        ):
            await server.start()

    run(scenario())


@pytest.mark.parametrize(
    ("package", "module"),
    [("prometheus_client", "monitor"), ("aiohttp", "server")],
)
def test_without_its_package_it_says_what_to_install(package: str, module: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; import webapi.voice_node.node.monitor.{module}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'prometheus-client" in ran.stderr
