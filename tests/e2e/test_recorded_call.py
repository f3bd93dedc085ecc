"""A live call with barge-ins against the real server, recorded, then replayed: the same events, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.process import NodeProcess, json_lines, run_node
from tests.e2e.rooms import caller, run
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e

BARGE_INS = 3


def test_a_recorded_call_decides_the_same_again(livekit_url: str, room: str, tmp_path: Path) -> None:

    async def scenario() -> None:
        async with (
            NodeProcess(tmp_path, livekit_url, room, MOCK_REPLY="tone:4", RECORD_DIR="calls"),
            caller(livekit_url, room) as alice,
        ):
            await alice.wait_for_event("listening_to", identity="alice")
            for _ in range(BARGE_INS):
                told = len(alice.events)
                await alice.say(vowel(0.8) + silence(0.4))
                await alice.wait_for_event("playback_started", after=told)
                await alice.say(vowel(0.8), wait=False)
                await alice.wait_for_event("barge_in", after=told)
                await alice.wait_for_event("turn", after=told)
            await alice.say(silence(0.4))
            await alice.wait_for_event("playback_started", after=told)

    run(scenario())
    (call,) = (tmp_path / "calls").iterdir()
    live = (call / "events.jsonl").read_bytes()
    assert live.count(b'"event": "barge_in"') >= BARGE_INS
    replayed = run_node("replay", call, "--out", tmp_path / "out", cwd=tmp_path)
    assert replayed.code == 0, replayed.said
    assert "events as when it was recorded" in replayed.out
    assert (tmp_path / "out" / "events.jsonl").read_bytes() == live
    # The numbers too: what metrics.jsonl said live is what the replay computes.
    assert json_lines(tmp_path / "out" / "metrics.jsonl") == json_lines(tmp_path / "metrics.jsonl")
