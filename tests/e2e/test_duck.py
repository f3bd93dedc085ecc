"""A caller who says "mm-hm" to the bot, in a real room: it goes on softly, is loud again, and stops for a turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.e2e.caller import LOUD, QUIET
from tests.e2e.over_reply import REPLY_MS, SHORT_S, UNSURE_MS, alice_and_bot, talk_over
from tests.e2e.retries import Retries
from tests.e2e.rooms import run

pytestmark = pytest.mark.e2e


def test_a_backchannel_makes_the_bot_soft_and_a_turn_stops_it(
    livekit_url: str, room: str, tmp_path: Path, retries: Retries
) -> None:
    async def scenario() -> None:
        async with alice_and_bot(livekit_url, room, tmp_path, "duck") as alice:

            async def agreed() -> None:
                told, heard = len(alice.events), len(alice.heard)
                asked = await talk_over(alice, SHORT_S)
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
                asked = await talk_over(alice, 1.2)
                turn = await alice.wait_for_event("turn", after=told, trace_id=asked)
                assert (turn["outcome"], turn["duck_stopped"]) == ("barged_in", 1)

            await retries.run("a backchannel", agreed)
            await retries.run("a turn", took_over)

    run(scenario())
