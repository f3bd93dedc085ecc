"""The node in the test's own loop: what `run` starts, without log file, page and LiveKit server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

from loguru import logger

from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.livekit_runner import LiveKitRunner
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.room.session_port import MakeSession, SessionPort, SessionRequest

READY_S = 20.0


class Node:
    """`async with Node(url, room) as node:` waits until it has published. Leaving the block stops it.

    `calls`: the calls that began; `lines`: the lines for metrics.jsonl; `logs`: what was logged about its room.
    """

    def __init__(
        self, url: str, room: str, *, grace_s: float = 30.0, make_session: MakeSession | None = None, **settings: object
    ) -> None:
        self.settings: Settings = load_settings(
            None,
            **{
                "livekit_url": url,
                "lk_room": room,
                "mock_think_ms": 20,
                "vad_backend": "webrtc",
                "echo_cancel": "never",
                **settings,
            },
        )
        self.stop = asyncio.Event()
        self.calls: list[SessionRequest] = []
        self.lines: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        graph = load_graph("default", self.settings)
        self._make_session = make_session or SessionFactory(graph, self.settings, self.lines.append)
        self._runner = LiveKitRunner(self.settings, self._make, grace_s=grace_s)
        self.running: asyncio.Task[None] | None = None

    def _make(self, call: SessionRequest) -> SessionPort:
        self.calls.append(call)
        return self._make_session(call)

    async def run(self) -> None:
        """Serve until `stop` is set."""
        await self._runner.run(self.stop)

    async def __aenter__(self) -> Node:
        self._sink_id = logger.add(self._logged, level="DEBUG", format="{message}")
        self.running = asyncio.create_task(self.run())
        await self.until(lambda: self.logged("publish"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.running is not None
        self.stop.set()
        try:
            await asyncio.wait_for(asyncio.gather(self.running, return_exceptions=kind is not None), 15)
        finally:
            logger.remove(self._sink_id)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of that event."""
        return [line for line in self.logs if line.get("event") == event]

    async def until(self, look: Callable[[], object], timeout_s: float = READY_S) -> None:
        """Wait until `look` returns something true. Fails after `timeout_s`; raises the error of a node that ended."""
        assert self.running is not None
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while not look():
            if self.running.done():
                self.running.result()
                raise AssertionError("the node has ended")
            if loop.time() > until_s:
                raise AssertionError(f"not within {timeout_s:g} s; logged: {[line['event'] for line in self.logs]}")
            await asyncio.wait([self.running], timeout=0.05)

    def _logged(self, message: Any) -> None:
        extra = message.record["extra"]
        if extra.get("room") == self.settings.lk_room:
            self.logs.append({**extra, "level": message.record["level"].name, "message": message.record["message"]})
