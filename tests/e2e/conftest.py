"""A real LiveKit server for the tests, found (or built once) and run by the node's own code."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.browser import write_hum
from tests.e2e.retries import Retries, watch_for_stalls
from webapi.voice_node.config import DEV_KEY, DEV_SECRET
from webapi.voice_node.dev_server.binary import build_server, find_server
from webapi.voice_node.dev_server.process import free_port, livekit
from webapi.voice_node.dev_server.server import avoid_proxy

HOST = "127.0.0.1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; pytest hands over those of all folders."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


class LiveKitServer:
    """A server on a port of its own, which a test may stop, kill and start again.

    Inside a running loop use `await asyncio.to_thread(server.restart)`.
    """

    def __init__(self, log: Path) -> None:
        binary = find_server() or asyncio.run(build_server(print))
        self._process = livekit(binary, HOST, free_port("tcp", 0), DEV_KEY, DEV_SECRET, log)
        self.port = self._process.port
        self.url = f"ws://{HOST}:{self.port}"
        avoid_proxy(self.url)  # the tests' own callers must not use the proxy either

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._process.start()
        asyncio.run(self._process.answers())

    def stop(self) -> None:
        """End it as the node does."""
        asyncio.run(self._process.stop())

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()

    def restart(self) -> None:
        """Crash it, and start it again on the same port."""
        self.kill()
        self.start()


@pytest.fixture(scope="session")
def livekit_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that all tests share, each in a room of its own. Its key is devkey/secret."""
    server = LiveKitServer(tmp_path_factory.mktemp("livekit") / "server.log")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def livekit_server(tmp_path: Path) -> Iterator[LiveKitServer]:
    """A running server of the test's own, which it may stop, kill and start again."""
    server = LiveKitServer(tmp_path / "server.log")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """The name of a room of the test's own, after its file: `call-1f2e3d4c` in test_call.py."""
    return f"{request.path.stem.removeprefix('test_')}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def retries() -> Iterator[Retries]:
    """Repeats scenes in which the machine stood still."""
    with watch_for_stalls() as running:
        yield running


@pytest.fixture
def hum(tmp_path: Path) -> Path:
    """A WAV for a browser's microphone."""
    return write_hum(tmp_path / "caller.wav")
