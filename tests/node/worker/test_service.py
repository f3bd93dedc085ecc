"""What a worker reports of itself."""

from __future__ import annotations

from webapi.voice_node.config import pinned_settings
from webapi.voice_node.graph.check import load_and_check
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.worker.service import WorkerService


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
