"""Signals to a whole process group, as a terminal, make and systemd send them: the node closes in order."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from livekit import api

from tests.e2e.process import NodeProcess
from tests.e2e.rooms import caller, run, server_api
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_group_and_once_more_to_the_node_closes_it_in_order(
    livekit_url: str, room: str, tmp_path: Path, number: signal.Signals
) -> None:
    async def scenario() -> None:
        node = NodeProcess(tmp_path, livekit_url, room, MOCK_REPLY="tone:30")
        node.own_group = True
        async with node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            began_s = time.monotonic()
            await alice.say(vowel(0.5) + silence(0.5))
            await alice.wait_for_sound(since_s=began_s)
            node.send_group(number)
            node.send(signal.SIGTERM)  # what make passes on
            assert await node.ended() == 0
            assert [line["outcome"] for line in node.metrics] == ["closed"]
            assert node.logged("leave")
            async with server_api(livekit_url) as server:
                there = await server.room.list_participants(api.ListParticipantsRequest(room=room))
            assert {participant.identity for participant in there.participants} == {"alice"}

    run(scenario())
