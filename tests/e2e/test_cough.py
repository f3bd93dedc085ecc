"""A caller who coughs over the bot, in a real room: it falls silent at once, and goes on where it halted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.caller import LOUD
from tests.e2e.process import NodeProcess
from tests.e2e.retries import Retries
from tests.e2e.rooms import caller, run
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e

REPLY_MS = 4000
UNSURE_MS = 150  # of audio, not of time: what the way through the room stretches
COUGH_S = 0.2


def test_a_cough_halts_the_bot_and_nothing_of_its_reply_is_lost(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        node = NodeProcess(tmp_path, livekit_url, room, "--graph", "cough", MOCK_REPLY=f"tone:{REPLY_MS // 1000}")
        async with node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")

            async def coughed() -> None:
                told, heard = len(alice.events), len(alice.heard)
                await alice.say(vowel(0.8) + silence(0.5), wait=False)
                asked = (await alice.wait_for_event("playback_started", after=told))["trace_id"]
                await alice.wait_for_sound()
                await alice.say(vowel(COUGH_S) + silence(0.5), wait=False)
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
