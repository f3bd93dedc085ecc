"""What the orchestrator reports from elsewhere comes into the graph in its own thread, in order."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.stage import play
from webapi.voice_node.reply.outputs import OrchestratorOutputs


def test_reports_from_another_thread_are_handed_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    note = OrchestratorOutputs._note

    def noting(self: OrchestratorOutputs, value: Any) -> None:
        threads.append(threading.get_ident())
        note(self, value)

    monkeypatch.setattr(OrchestratorOutputs, "_note", noting)
    played = play([("speech", 0.5), ("quiet", 1.5)], orchestrator="tests.orchestrators:Threaded")
    assert played.marbles() == "SEQPZp"
    assert len(played.of("llm_request_done")) == len(played.of("tts_first_chunk")) == 1
    assert set(threads) == {threading.get_ident()}
