"""Jobs as calls: each ends alone, and a job that LiveKit ends takes its call along only where that is meant."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.protocol.agent import Job
from livekit.protocol.models import Room
from loguru import logger

from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.worker.choices import Choices
from webapi.voice_node.node.worker.jobs import Jobs


class ScriptedCalls:
    """Calls that go on until they are cancelled, or end as the room's name says."""

    def __init__(self) -> None:
        self.served: list[tuple[str, str | None, str]] = []

    async def serve(self, settings: Settings, sessions: Any, token: str | None = None) -> None:
        self.served.append((settings.lk_room, token, sessions.graph.name))
        if settings.lk_room == "bad":
            raise UserError("it can't be joined")
        if settings.lk_room == "worse":
            raise SystemExit(3)
        if settings.lk_room != "short":
            await asyncio.Event().wait()


def made() -> tuple[Jobs, ScriptedCalls]:
    settings, calls = pinned_settings(), ScriptedCalls()
    choices = Choices(settings, SessionFactory(load_and_check("default", settings), settings, lambda _: None))
    return Jobs(calls, choices), calls  # type: ignore[arg-type]


def job(room: str, metadata: str = "") -> Job:
    return Job(id=f"AJ_{room}", dispatch_id=f"AD_{room}", metadata=metadata, room=Room(name=room))


@pytest.mark.parametrize("room", ["short", "bad", "worse"])
def test_a_job_ends_with_its_call_however_that_was_and_others_go_on(room: str) -> None:
    async def scenario() -> None:
        jobs, calls = made()
        over, other = asyncio.Event(), asyncio.Event()
        jobs.start(job("long"), "token 1", other.set)
        jobs.start(job(room), "token 2", over.set)
        await asyncio.wait_for(over.wait(), 10)
        assert [*jobs.serving] == ["AJ_long"]
        assert not other.is_set()
        assert ("long", "token 1", "default") in calls.served
        await jobs.end("AJ_long")
        assert other.is_set()
        await jobs.end("AJ_long")  # it is over: nothing happens

    asyncio.run(scenario())


def test_a_call_that_fails_is_named_in_the_log() -> None:
    async def scenario() -> None:
        jobs, _ = made()
        over = asyncio.Event()
        lines: list[object] = []
        sink = logger.add(lines.append, level="ERROR", format="{extra[event]} {message}")
        jobs.start(job("worse"), "t", over.set)
        await asyncio.wait_for(over.wait(), 10)
        logger.remove(sink)
        assert str(lines[0]).startswith("call_failed the call in room worse failed: SystemExit")

    asyncio.run(scenario())


def test_a_job_takes_the_graph_that_its_metadata_names() -> None:
    async def scenario() -> None:
        jobs, calls = made()
        over = asyncio.Event()
        jobs.start(job("short", '{"graph": "echo"}'), "t", over.set)
        await asyncio.wait_for(over.wait(), 10)
        assert calls.served == [("short", "t", "echo")]

    asyncio.run(scenario())


def test_a_job_that_livekit_ends_because_its_bot_lost_the_connection_keeps_its_call() -> None:
    async def scenario() -> None:
        jobs, _ = made()
        over, there = asyncio.Event(), True

        async def dispatch_is_there(_: Job) -> bool:
            return there

        jobs.start(job("long"), "t", over.set)
        await asyncio.sleep(0)
        await jobs.end("AJ_long", dispatch_is_there)
        assert [*jobs.serving] == ["AJ_long"]
        there = False  # it was deleted: the call is over
        await jobs.end("AJ_long", dispatch_is_there)
        assert over.is_set()
        assert not jobs.serving

    asyncio.run(scenario())


def test_that_metadata_is_ignored_is_told_by_the_desk_and_not_once_more() -> None:
    jobs, calls = made()
    told: list[str] = []
    sink = logger.add(lambda message: told.append(message.record["extra"].get("event", "")), level="DEBUG")

    async def main() -> None:
        over = asyncio.Event()
        jobs.start(Job(id="AJ_1", metadata="for somebody else", room=Room(name="short")), "t", over.set)
        await over.wait()

    asyncio.run(main())
    logger.remove(sink)
    assert calls.served == [("short", "t", "default")]
    assert "call_taken" in told
    assert "metadata_ignored" not in told
