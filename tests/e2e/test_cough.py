"""A caller who coughs over the bot, in a real room: it falls silent at once, and goes on where it halted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.caller import LOUD
from tests.e2e.over_reply import REPLY_MS, SHORT_S, UNSURE_MS, alice_and_bot, talk_over
from tests.e2e.retries import Retries
from tests.e2e.rooms import run

pytestmark = pytest.mark.e2e


def test_a_cough_halts_the_bot_and_nothing_of_its_reply_is_lost(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        async with alice_and_bot(livekit_url, room, tmp_path, "cough") as alice:

            async def coughed() -> None:
                told, heard = len(alice.events), len(alice.heard)
                asked = await talk_over(alice, SHORT_S)
                await alice.wait_for_event("playback_paused", after=told, trace_id=asked)
                await alice.wait_for_silence(0.1)
                await alice.wait_for_event("playback_resumed", after=told, trace_id=asked)
                turn = await alice.wait_for_event("turn", after=told, trace_id=asked)
                assert (turn["outcome"], turn["heard_ms"], turn["barge_in"]) == ("completed", REPLY_MS, False)
                await alice.wait_for_silence(0.2)
                loud_ms = 10 * sum(h.rms > LOUD for h in alice.heard[heard:])
                assert abs(loud_ms - REPLY_MS) < UNSURE_MS, "more or less was heard than the reply has"

            await retries.run("a cough", coughed)

    run(scenario())
