"""One process for many rooms: it comes and goes with them, a call that fails is alone, and SIGTERM drains."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from livekit import api

from tests.e2e.caller import Caller
from tests.e2e.process import NodeProcess
from tests.e2e.rooms import caller, run, server_api
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e


async def answered(alice: Caller, *, to_the_end: bool = True) -> None:
    """She says something, and hears the bot."""
    told, began_s = len(alice.events), time.monotonic()
    await alice.say(vowel(0.5) + silence(0.5))
    started = await alice.wait_for_event("playback_started", after=told)
    await alice.wait_for_sound(since_s=began_s)
    if to_the_end:
        await alice.wait_for_event("turn", trace_id=started["trace_id"], outcome="completed")


def test_rooms_that_match_are_served_side_by_side_and_no_others(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = NodeProcess(tmp_path, livekit_url, room, "--rooms", f"{room}-*", LK_ROOM="demo", MAX_CALLS=2)
        async with node, caller(livekit_url, f"{room}-1") as alice, caller(livekit_url, f"other-{room}") as carol:
            await alice.wait_for_event("listening_to", identity="alice")
            async with caller(livekit_url, f"{room}-2", "bob") as bob:
                await bob.wait_for_event("listening_to", identity="bob")
                await asyncio.gather(answered(alice), answered(bob))
                # A third one waits until there is room, and is served then.
                async with caller(livekit_url, f"{room}-3", "dora") as dora:
                    await node.until(lambda: node.logged("rooms_wait"), "a room that waits")
                    assert not dora.events
                    async with server_api(livekit_url) as server:
                        await server.room.delete_room(api.DeleteRoomRequest(room=f"{room}-2"))
                    await dora.wait_for_event("listening_to", identity="dora")
                    await answered(dora)
            assert not carol.events
            rooms = {f"{room}-{number}" for number in (1, 2, 3)}
            await node.until(lambda: rooms == {line["room"] for line in node.metrics}, "the turns of three calls")
            assert len({line["session_id"] for line in node.metrics}) == 3
            assert {line["outcome"] for line in node.metrics} <= {"completed", "closed"}

    run(scenario())


def test_a_call_whose_bot_is_taken_out_or_breaks_ends_alone(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = NodeProcess(
            tmp_path, livekit_url, room, "--rooms", f"{room}-*", ORCHESTRATOR="tests.orchestrators:ExitsInOneRoom"
        )
        async with node, caller(livekit_url, f"{room}-1") as alice, caller(livekit_url, f"{room}-bad", "bob") as bob:
            await alice.wait_for_event("listening_to", identity="alice")
            await bob.wait_for_event("listening_to", identity="bob")
            await bob.say(vowel(0.5) + silence(0.5))
            await bob.wait_for_event("turn", outcome="failed")
            await answered(alice)
            told = len(bob.events)
            async with server_api(livekit_url) as server:
                await server.room.remove_participant(
                    api.RoomParticipantIdentity(room=f"{room}-bad", identity="ingobot")
                )
            await node.until(lambda: node.logged("call_failed"), "the end of that call")
            await answered(alice)
            await bob.wait_for_event("listening_to", after=told, identity="bob")  # it has come back

    run(scenario())


def test_a_drained_process_loses_no_turn_and_takes_no_new_call(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = NodeProcess(tmp_path, livekit_url, room, "--rooms", f"{room}-*")
        async with node:
            async with caller(livekit_url, f"{room}-1") as alice:
                await alice.wait_for_event("listening_to", identity="alice")
                await answered(alice)
                node.send(signal.SIGTERM)
                await node.until(lambda: node.logged("draining"), "the draining")
                async with caller(livekit_url, f"{room}-2", "bob") as bob:
                    for _ in range(3):
                        await answered(alice)
                    assert not bob.events
                assert node.running
            assert await node.ended() == 0
            assert [line["outcome"] for line in node.metrics[:4]] == ["completed"] * 4

    run(scenario())


def test_a_second_signal_closes_the_calls(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = NodeProcess(tmp_path, livekit_url, room, "--all-rooms", MOCK_REPLY="tone:30")
        async with node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            await answered(alice, to_the_end=False)
            node.send(signal.SIGTERM)
            drained = await node.until(lambda: node.logged("draining"), "the draining")
            assert drained[0]["calls"] >= 1  # --all-rooms has those of other tests too
            await asyncio.sleep(1.1)  # signals within a second are one request
            node.send(signal.SIGTERM)
            assert await node.ended() == 0
            assert [line["outcome"] for line in node.metrics if line["room"] == room] == ["closed"]

    run(scenario())
