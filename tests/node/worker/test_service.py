"""What a worker reports of itself."""

from __future__ import annotations

import asyncio

import pytest
from loguru import logger

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.worker.service import WorkerService, log_error


def test_a_worker_that_registers_again_while_it_drains_is_not_ready() -> None:
    settings = pinned_settings()
    reports: list[str | None] = []
    said: list[str] = []
    sessions = SessionFactory(load_and_check("default", settings), settings, lambda _: None)
    service = WorkerService(settings, sessions, reports.append, said.append)
    service._on_registered(lambda: None)
    assert (reports, len(said)) == ([None], 1)
    service._desk.draining = True
    service._on_registered(lambda: None)  # its connection was lost meanwhile
    assert (reports, len(said)) == ([None], 1)


class Idle:
    """In place of the agent server."""

    async def drain(self, timeout: float | None) -> None:
        pass


def test_a_call_that_is_promised_when_the_drain_begins_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = pinned_settings()
    service = WorkerService(
        settings,
        SessionFactory(load_and_check("default", settings), settings, lambda _: None),
        lambda _: None,
        lambda _: None,
    )
    monkeypatch.setattr(service, "_server", Idle())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        service._desk._promised.add("AJ_1")  # LiveKit has not launched it yet
        loop.call_later(3.0, service._desk._promised.clear)
        await service._drain(asyncio.Event())
        assert round(loop.time() - began_s, 1) in (3.0, 3.1)
        assert service._calls.draining

    run_virtual(main())


def test_what_watches_and_measures_does_not_end_without_a_word() -> None:
    told: list[str] = []
    sink = logger.add(lambda message: told.append(message.record["message"]), level="ERROR")

    async def fails() -> None:
        raise ValueError("a page that nobody can read")

    async def main() -> None:
        task = asyncio.create_task(fails())
        await asyncio.wait([task])
        log_error(task)

    asyncio.run(main())
    logger.remove(sink)
    assert "a page that nobody can read" in told[0]
