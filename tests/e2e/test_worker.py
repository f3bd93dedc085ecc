"""Workers: calls are dispatched by name and metadata, shared, drained, and rescued where a worker dies."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from livekit import api

from tests.e2e.caller import Caller
from tests.e2e.rooms import run, server_api
from tests.e2e.workers import WorkerProcess, answered, close_room, dispatched, dispatches, listened_to
from webapi.voice_node.config import DEV_KEY, DEV_SECRET

pytestmark = pytest.mark.e2e


def test_a_call_is_answered_as_its_metadata_says(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with WorkerProcess(tmp_path, livekit_url, room) as worker:
            choice = {"graph": "echo", "settings": {"VAD_SPEECH_END_FRAMES": 15, "PUBLISH_TRACK_NAME": "mine"}}
            async with dispatched(livekit_url, f"{room}-1", room, **choice) as alice:
                await listened_to(alice)
                assert (await answered(alice))["graph"] == "echo"
                published = await worker.until(lambda: worker.logged("publish"), "its track")
                assert published[0]["track"] == "mine"
            async with dispatched(livekit_url, f"{room}-2", room) as alice:
                await listened_to(alice)
                assert (await answered(alice))["graph"] == "default"

    run(scenario())


def test_a_token_dispatches_and_an_administrator_who_removes_the_bot_ends_the_call(
    livekit_url: str, room: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        agents = [api.RoomAgentDispatch(agent_name=room, metadata='{"settings": {"MOCK_REPLY": "tone:1"}}')]
        token = api.AccessToken(DEV_KEY, DEV_SECRET).with_identity("alice")
        token = token.with_grants(api.VideoGrants(room_join=True, room=room))
        token = token.with_room_config(api.RoomConfiguration(agents=agents))
        async with (
            WorkerProcess(tmp_path, livekit_url, room) as worker,
            Caller(livekit_url, token.to_jwt(), bot="ingobot") as alice,
            server_api(livekit_url) as server,
        ):
            await listened_to(alice)
            assert (await answered(alice))["heard_ms"] == pytest.approx(1000, abs=50)
            await server.room.remove_participant(api.RoomParticipantIdentity(room=room, identity="ingobot"))
            await worker.until(lambda: worker.logged("call_removed"), "the end of the call")
            await worker.until(lambda: worker.logged("dispatch_deleted"), "the deletion of its dispatch")
            assert await dispatches(livekit_url, room, room) == []
            assert not worker.logged("rescue")

    run(scenario())


def test_what_is_not_for_this_worker_is_left_alone(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with WorkerProcess(tmp_path, livekit_url, room) as worker:
            async with (
                dispatched(livekit_url, f"{room}-1", f"another-{room}"),
                dispatched(livekit_url, f"{room}-2", room, graph="../../etc/passwd") as bob,
                dispatched(livekit_url, f"{room}-3", room) as alice,
            ):
                await listened_to(alice)
                (refused,) = await worker.until(lambda: worker.logged("call_refused"), "the refusal")
                assert (refused["room"], refused["agent"]) == (f"{room}-2", room)
                assert "the name of a graph is needed, and no path" in refused["message"]
                assert not bob.events
                assert worker.rooms() == [f"{room}-3"]
            assert "secret" not in "".join(map(str, worker.log)).replace("LIVEKIT_API_SECRET", "")

    run(scenario())


def test_workers_share_calls_that_come_at_once_and_take_no_more_than_they_may(
    livekit_url: str, room: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        rooms = [f"{room}-{number}" for number in range(6)]
        first = WorkerProcess(tmp_path / "1", livekit_url, room, MAX_CALLS=3)
        second = WorkerProcess(tmp_path / "2", livekit_url, room, MAX_CALLS=3)
        async with first, second:
            calls = [dispatched(livekit_url, each, room) for each in rooms]
            callers = await asyncio.gather(*(call.__aenter__() for call in calls))
            try:
                await asyncio.gather(*map(listened_to, callers))
                assert sorted(first.rooms() + second.rooms()) == rooms
                assert len(first.rooms()) == 3
                # One too many is taken as soon as there is room.
                async with dispatched(livekit_url, f"{room}-late", room) as late:
                    await close_room(livekit_url, rooms[0])
                    await listened_to(late)
            finally:
                await asyncio.gather(*(call.__aexit__(None, None, None) for call in calls))

    run(scenario())


def test_sigterm_drains_without_losing_a_turn_and_new_calls_go_to_others(
    livekit_url: str, room: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        first = WorkerProcess(tmp_path / "1", livekit_url, room, MOCK_REPLY="tone:1")
        async with first, dispatched(livekit_url, f"{room}-1", room) as alice:
            await listened_to(alice)
            await answered(alice, to_the_end=False)
            async with WorkerProcess(tmp_path / "2", livekit_url, room) as second:
                first.send(signal.SIGTERM)
                await first.until(lambda: first.logged("draining"), "the draining")
                async with dispatched(livekit_url, f"{room}-2", room) as bob:
                    await listened_to(bob)
                    assert second.rooms() == [f"{room}-2"]
                for _ in range(2):
                    await answered(alice)
            assert first.running
            await alice.leave()
            left_s = time.monotonic()
            assert await first.ended() == 0
            assert time.monotonic() - left_s < 15
            assert [line["outcome"] for line in first.metrics] == ["completed"] * 3

    run(scenario())


def test_the_calls_of_a_killed_worker_are_answered_again(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        victim = WorkerProcess(tmp_path / "victim", livekit_url, room)
        choice = {"graph": "echo"}
        async with (
            victim,
            dispatched(livekit_url, f"{room}-1", room, **choice) as alice,
            dispatched(livekit_url, f"{room}-2", room) as bob,
        ):
            await asyncio.gather(listened_to(alice), listened_to(bob))
            first, second = (WorkerProcess(tmp_path / name, livekit_url, room) for name in "12")
            async with first, second:
                told = (len(alice.events), len(bob.events))
                await victim.die()
                await asyncio.gather(listened_to(alice, told[0]), listened_to(bob, told[1]))
                assert (await answered(alice))["graph"] == "echo"  # with the same metadata
                await answered(bob)
                assert sorted(first.rooms() + second.rooms()) == [f"{room}-1", f"{room}-2"]
                assert len(await dispatches(livekit_url, f"{room}-1", room)) == 1
                rescues = first.logged("rescue") + second.logged("rescue")
                assert sorted(line["room"] for line in rescues) == [f"{room}-1", f"{room}-2"]
                await asyncio.gather(alice.leave(), bob.leave())

    run(scenario())


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_call_in_a_thread_or_process_of_its_own(executor: str, livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        worker = WorkerProcess(tmp_path, livekit_url, room, JOB_EXECUTOR=executor, MAX_CALLS=2)
        async with worker, dispatched(livekit_url, f"{room}-1", room) as alice:
            await listened_to(alice)
            line = await answered(alice)
            await worker.metrics_of(line["trace_id"])
            async with dispatched(livekit_url, f"{room}-2", room, graph="echo") as bob:
                await listened_to(bob)
                assert (await answered(bob))["graph"] == "echo"
            worker.send(signal.SIGTERM)
            await answered(alice)
            await alice.leave()

    run(scenario())


def test_a_call_whose_process_is_killed_is_answered_again(livekit_url: str, room: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        worker = WorkerProcess(tmp_path, livekit_url, room, JOB_EXECUTOR="process", MAX_CALLS=2)
        async with worker, dispatched(livekit_url, f"{room}-1", room) as alice:
            await listened_to(alice)
            told = len(alice.events)
            (serving,) = [each for each in worker.children() if each.net_connections("udp")]
            serving.kill()
            await listened_to(alice, told)
            await answered(alice)
            assert worker.rooms() == [f"{room}-1"] * 2
            await alice.leave()

    run(scenario())
