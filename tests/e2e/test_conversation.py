"""A bot that begins, in a real room: it greets who comes, and says something where an answer takes long."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.process import NodeProcess
from tests.e2e.retries import Retries
from tests.e2e.rooms import caller, run
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e

THINKS_MS = 2500  # longer than the graph's filler waits


def test_a_caller_is_greeted_and_does_not_wait_in_silence(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        settings = {"MOCK_REPLY": "tone:1", "MOCK_THINK_MS": THINKS_MS}
        async with NodeProcess(tmp_path, livekit_url, room, "--graph", "conversation", **settings) as node:
            async with caller(livekit_url, room) as alice:
                greeting = await alice.wait_for_event("prompted")
                assert greeting["turn_index"] == 0
                await alice.wait_for_sound(since_s=0)
                greeted = await alice.wait_for_event("turn", trace_id=greeting["trace_id"])
                assert (greeted["outcome"], greeted["t1_first_user_audio"]) == ("completed", None)

                async def asked() -> None:
                    await alice.wait_for_silence(0.2)
                    told = len(alice.events)
                    await alice.say(vowel(0.8) + silence(0.5), wait=False)
                    filler = await alice.wait_for_event("filler_started", after=told)
                    await alice.wait_for_sound()
                    answer = await alice.wait_for_event("turn", after=told, trace_id=filler["trace_id"])
                    assert (answer["outcome"], answer["heard_ms"]) == ("completed", 1000)
                    assert answer["latency_speech_end_to_first_bot_chunk_ms"] >= THINKS_MS - 1

                await retries.run("an answer that is late", asked)
            assert await node.stop() == 0

    run(scenario())
