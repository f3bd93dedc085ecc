"""Which calls a worker takes, and how often at most."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from livekit.agents import JobRequest
from livekit.protocol.agent import Job
from livekit.protocol.models import Room
from loguru import logger

from webapi.voice_node.config import pinned_settings
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.worker.choices import Choices
from webapi.voice_node.node.worker.desk import Desk


class Server:
    """The agent server: requests, the answers to them, and the jobs that run."""

    def __init__(self, max_calls: int = 3, pressure: float = 0) -> None:
        settings = pinned_settings(max_calls=max_calls, lk_bot_identity="bot")
        sessions = SessionFactory(load_and_check("default", settings), settings, lambda _: None)
        self.running: set[str] = set()
        self.most = 0
        self.answers: dict[str, str] = {}
        self.pressure = pressure
        self.desk = Desk(settings, Choices(settings, sessions), lambda: self.running, lambda: self.pressure)
        self.launch = asyncio.Event()  # jobs that were accepted are launched
        self.launch.set()

    def request(self, name: str, metadata: str = "") -> JobRequest:
        async def rejected(terminate: bool) -> None:
            self.answers[name] = "for nobody" if terminate else "for others"

        async def accepted(arguments: Any) -> None:
            self.answers[name] = f"accepted as {arguments.identity}"
            await self.launch.wait()
            self.running.add(name)
            self.most = max(self.most, len(self.running))

        job = Job(id=name, agent_name="agent", metadata=metadata, room=Room(name=f"room of {name}"))
        return JobRequest(job=job, on_reject=rejected, on_accept=accepted)

    async def ask(self, name: str, **metadata: Any) -> str:
        await self.desk.on_request(self.request(name, json.dumps(metadata) if metadata else ""))
        return self.answers[name]


def test_of_thirty_calls_at_once_it_takes_as_many_as_it_may() -> None:
    async def scenario() -> None:
        server = Server(max_calls=10)
        server.launch.clear()  # nothing has begun when the last one asks
        asking = [asyncio.create_task(server.ask(str(n), settings={"MOCK_THINK_MS": n})) for n in range(30)]
        refused: list[asyncio.Task[str]] = []
        while len(refused) < 20:
            await asyncio.sleep(0)
            refused = [task for task in asking if task.done()]
        assert {task.result() for task in refused} == {"for others"}
        assert server.desk.load() == 1.0
        server.launch.set()
        await asyncio.gather(*asking)
        assert server.most == server.desk.calls == 10
        server.running.pop()
        assert await server.ask("31st") == "accepted as bot"

    asyncio.run(scenario())


@pytest.mark.parametrize("metadata", [{"graph": "nowhere"}, {"settings": {"LIVEKIT_URL": "x"}}, {"with": {"bad": 1}}])
def test_a_call_that_can_not_be_served_is_for_nobody_and_is_named(metadata: dict[str, Any]) -> None:
    async def scenario() -> None:
        server = Server()
        lines: list[object] = []
        sink = logger.add(lines.append, level="ERROR", format="{message}")
        try:
            assert await server.ask("1", **metadata) == "for nobody"
        finally:
            logger.remove(sink)
        assert server.desk.calls == 0
        assert "call for agent 'agent' in room room of 1 refused: " in str(lines[0])

    asyncio.run(scenario())


def test_a_draining_or_busy_worker_takes_none() -> None:
    async def scenario() -> None:
        server = Server(pressure=1.0)
        assert await server.ask("1") == "for others"
        server.pressure = 0.9
        assert await server.ask("2") == "accepted as bot"
        server.desk.draining = True
        assert await server.ask("3") == "for others"

    asyncio.run(scenario())


def test_a_call_that_could_not_be_launched_leaves_its_place() -> None:
    async def scenario() -> None:
        server = Server(max_calls=1)

        async def lost(_: Any) -> None:
            raise TimeoutError("the assignment never came")

        async def rejected(_: bool) -> None:
            raise AssertionError

        job = Job(id="1", room=Room(name="r"))
        with pytest.raises(TimeoutError):
            await server.desk.on_request(JobRequest(job=job, on_reject=rejected, on_accept=lost))
        assert server.desk.calls == 0
        assert await server.ask("2") == "accepted as bot"

    asyncio.run(scenario())


def test_metadata_of_others_is_ignored() -> None:
    async def scenario() -> None:
        server = Server()
        await server.desk.on_request(server.request("1", "order 4711"))
        assert server.answers["1"] == "accepted as bot"

    asyncio.run(scenario())
