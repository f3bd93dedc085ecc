"""A real LiveKit server for the tests, found (or built once) and run by the node's own code."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.browser import write_hum
from tests.e2e.stalls import Takes, taking
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
    """A server on a port of its own that a test may stop, kill and start again. Not for use inside a running loop:
    there, `await asyncio.to_thread(server.restart)`.
    """

    def __init__(self, log: Path) -> None:
        binary = find_server() or asyncio.run(build_server(print))
        self._process = livekit(binary, HOST, free_port("tcp", 0), DEV_KEY, DEV_SECRET, log)
        self.port = self._process.port
        self.url = f"ws://{HOST}:{self.port}"
        avoid_proxy(self.url)  # or the tests' own callers would look for it there

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
    """The URL of a server that all tests share: rooms of a test's own keep them apart. Its key is devkey/secret."""
    server = LiveKitServer(tmp_path_factory.mktemp("livekit") / "server.log")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def livekit_server(tmp_path: Path) -> Iterator[LiveKitServer]:
    """A running server of the test's own, to stop, kill and start again."""
    server = LiveKitServer(tmp_path / "server.log")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room of the test's own, named by what it is about: `call-1f2e3d4c` in test_call.py."""
    return f"{request.path.stem.removeprefix('test_')}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def takes() -> Iterator[Takes]:
    """Scenes that are played again where the machine stood still."""
    with taking() as running:
        yield running


@pytest.fixture
def hum(tmp_path: Path) -> Path:
    """A WAV for a browser's microphone."""
    return write_hum(tmp_path / "caller.wav")
