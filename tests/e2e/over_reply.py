"""A caller who makes a sound over a reply of the bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.caller import Caller
from tests.e2e.process import NodeProcess
from tests.e2e.rooms import caller
from tests.speech import silence, vowel

REPLY_MS = 4000
UNSURE_MS = 150  # of audio, not of time: what the way through the room stretches
SHORT_S = 0.2  # of a voice that is no turn


@asynccontextmanager
async def alice_and_bot(livekit_url: str, room: str, folder: Path, graph: str) -> AsyncIterator[Caller]:
    """A caller to whom a bot with that graph listens. Each of its replies is a tone of REPLY_MS."""
    node = NodeProcess(folder, livekit_url, room, "--graph", graph, MOCK_REPLY=f"tone:{REPLY_MS // 1000}")
    async with node, caller(livekit_url, room) as alice:
        await alice.wait_for_event("listening_to", identity="alice")
        yield alice


async def talk_over(alice: Caller, seconds: float) -> str:
    """Ask something, and begin to make a sound of so many seconds when the reply is heard. Returns its trace_id."""
    told = len(alice.events)
    await alice.say(vowel(0.8) + silence(0.5), wait=False)
    asked: str = (await alice.wait_for_event("playback_started", after=told))["trace_id"]
    await alice.wait_for_sound()
    await alice.say(vowel(seconds) + silence(0.5), wait=False)
    return asked
