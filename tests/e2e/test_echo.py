"""A caller with a loudspeaker, in a real room: the bot hears its own voice come back, and goes on talking."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import NodeProcess
from tests.e2e.retries import watch_for_stalls
from tests.e2e.rooms import caller, run
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav

pytestmark = pytest.mark.e2e

REPLY = (vowel(0.4) + silence(0.2)) * 8
LOUD = 10 ** (-10 / 20)  # −10 dB


def turn_of(url: str, folder: Path, outcome: str, **settings: Any) -> dict[str, Any]:
    """The first turn of a call from such a room, which ends so."""
    write_wav(folder / "reply.wav", REPLY, 48_000)
    room = f"echo-{uuid.uuid4().hex[:8]}"
    turns: list[dict[str, Any]] = []

    async def scenario(settings: dict[str, Any]) -> None:
        # It thinks so long that nothing of the question still rings when the answer begins.
        settings = {"MOCK_REPLY": "reply.wav", "MOCK_THINK_MS": 300, "VAD_BACKEND": "webrtc", **settings}
        node = NodeProcess(folder, url, room, **settings)
        async with node, caller(url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            alice.loudspeaker = LOUD

            async def turn() -> None:
                told = len(alice.events)
                await alice.say(vowel(0.6) + silence(0.4), wait=False)
                turns.append(await alice.wait_for_event("turn", after=told))
                assert turns[-1]["outcome"] == outcome, turns[-1]

            with watch_for_stalls() as retries:
                await retries.run("a turn", turn)

    run(scenario(settings))
    return turns[-1]


def test_the_bot_does_not_interrupt_itself(livekit_url: str, tmp_path: Path) -> None:
    turn = turn_of(livekit_url, tmp_path, "completed", ECHO_CANCEL="needed")
    assert turn["heard_ms"] == len(REPLY) // 96


def test_without_cancellation_it_does(livekit_url: str, tmp_path: Path) -> None:
    assert turn_of(livekit_url, tmp_path, "barged_in", ECHO_CANCEL="never")["barge_in"]
