"""The cut of a reply: the orchestrator stops, the room is flushed, the orchestrator learns why. In this order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from reactivex import Observable, Subject
from reactivex import operators as ops

from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.context import Context
from webapi.voice_node.events import CutOutcome, Reply, ReplyCut, ReplyStarted, SpeechEnded, Turn
from webapi.voice_node.orchestrator_mock import MockOrchestrator
from webapi.voice_node.reply.orchestrator_adapter import OrchestratorAdapter
from webapi.voice_node.reply.pacing import QueueDepth

ENDED = SpeechEnded(0, Turn("a", 0), b"", 8000, 0, 0, 0, 0, 500, "silence")


def cut_in_order(outcome: CutOutcome | None) -> list[str]:
    """What happens, in order, when a reply is cut, or with None, when the session ends."""
    happened: list[str] = []

    class Notes(MockOrchestrator):
        def stop_playback(self, trace_id: str) -> None:
            happened.append("stop_playback")

        def on_barge_in_detected(self, trace_id: str) -> None:
            happened.append("on_barge_in_detected")

    def told(value: Any) -> None:
        if isinstance(value, (ReplyStarted, ReplyCut)):
            happened.append(value.name)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        context = Context("s", "demo", load_settings(), loop, loop.clock_us)
        adapter = OrchestratorAdapter(Notes("tone:2", think_ms=0), context, QueueDepth(), 8000, told)
        cut = adapter.cut(ENDED.turn, outcome, 0) if outcome else adapter.close()
        replies: Subject[Observable[Reply]] = Subject()
        replies.pipe(ops.switch_latest()).subscribe(told, lambda error: pytest.fail(str(error)))
        replies.on_next(adapter.answer(ENDED))
        await asyncio.sleep(1)
        replies.on_next(cut)

    run_virtual(main())
    return happened


@pytest.mark.parametrize("outcome", ["barged_in", "superseded", None])
def test_the_orchestrator_stops_before_the_room_is_flushed(outcome: CutOutcome | None) -> None:
    learns = ["on_barge_in_detected"] if outcome == "barged_in" else []
    assert cut_in_order(outcome) == ["reply_started", "stop_playback", "reply_cut", *learns]
