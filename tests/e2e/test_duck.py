"""A caller who says "mm-hm" to the bot, in a real room: it goes on softly, is loud again, and stops for a turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.e2e.caller import LOUD, QUIET
from tests.e2e.process import NodeProcess
from tests.e2e.retries import Retries
from tests.e2e.rooms import caller, run
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e

REPLY_MS = 4000
UNSURE_MS = 150  # of audio, not of time: what the way through the room stretches
SHORT_S = 0.2


def test_a_backchannel_makes_the_bot_soft_and_a_turn_stops_it(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        node = NodeProcess(tmp_path, livekit_url, room, "--graph", "duck", MOCK_REPLY=f"tone:{REPLY_MS // 1000}")
        async with node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")

            async def agreed() -> None:
                told, heard = len(alice.events), len(alice.heard)
                await alice.say(vowel(0.8) + silence(0.5), wait=False)
                asked = (await alice.wait_for_event("playback_started", after=told))["trace_id"]
                await alice.wait_for_sound()
                await alice.say(vowel(SHORT_S) + silence(0.5), wait=False)
                await alice.wait_for_event("playback_ducked", after=told, trace_id=asked)
                await alice.wait_for_event("playback_restored", after=told, trace_id=asked)
                turn = await alice.wait_for_event("turn", after=told, trace_id=asked)
                assert (turn["outcome"], turn["heard_ms"]) == ("completed", REPLY_MS)
                assert (turn["ducked"], turn["duck_restored"], turn["duck_stopped"]) == (1, 1, 0)
                await alice.wait_for_silence(0.2)
                levels = np.array([h.rms for h in alice.heard[heard:]])
                usual = np.median(levels[levels > LOUD])
                assert abs(10 * (levels > QUIET).sum() - REPLY_MS) < UNSURE_MS, "it was silent, or heard twice"
                soft_ms = 10 * ((levels > usual / 8) & (levels < usual / 4)).sum()  # 12 to 18 dB down
                assert soft_ms > 200, "it did not become soft"

            async def took_over() -> None:
                told = len(alice.events)
                await alice.say(vowel(0.8) + silence(0.5), wait=False)
                asked = (await alice.wait_for_event("playback_started", after=told))["trace_id"]
                await alice.wait_for_sound()
                await alice.say(vowel(1.2) + silence(0.5), wait=False)
                turn = await alice.wait_for_event("turn", after=told, trace_id=asked)
                assert (turn["outcome"], turn["duck_stopped"]) == ("barged_in", 1)

            await retries.run("a backchannel", agreed)
            await retries.run("a turn", took_over)

    run(scenario())
