"""How the node's edge finds a room, loses it and leaves it: servers that go away, first connections, the end."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from livekit import api

from tests.e2e.node import Node
from tests.e2e.rooms import caller, run, server_api
from tests.speech import silence, vowel
from webapi.voice_node.config import DEV_SECRET
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import Digit

pytestmark = pytest.mark.e2e


# ---------------------------------------------------------------- rooms that go away


def test_a_deleted_room_closes_the_call_and_the_node_joins_again(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room, mock_reply="tone:30") as node:
            async with caller(livekit_url, room) as alice, server_api(livekit_url) as server:
                await alice.wait_for_event("listening_to", identity="alice")
                began_s = time.monotonic()
                await alice.say(vowel(0.5) + silence(0.5))
                await alice.wait_for_sound(since_s=began_s)
                await server.room.delete_room(api.DeleteRoomRequest(room=room))
                await node.until(lambda: node.lines)
                assert node.lines[0]["outcome"] == "closed"
                await node.until(lambda: node.logged("reconnected"))
            assert "the room was deleted" in node.logged("leave")[0]["message"]
            async with caller(livekit_url, room) as again:
                await again.wait_for_event("listening_to", identity="alice")
                await again.say(vowel(0.5) + silence(0.5))
                await again.wait_for_sound()
            assert len(node.calls) == 2

    run(scenario())


def test_an_empty_room_that_the_server_closes_is_made_anew_and_no_trouble(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with server_api(livekit_url) as server:
            await server.room.create_room(api.CreateRoomRequest(name=room, empty_timeout=1, departure_timeout=1))
            async with Node(livekit_url, room) as node:
                await node.until(lambda: node.logged("reconnected"))
                assert "the server closed the room" in node.logged("leave")[0]["message"]
                assert not [line for line in node.logs if line["level"] not in ("DEBUG", "INFO")]

    run(scenario())


def test_a_server_that_comes_back_soon_finds_the_same_session(livekit_server: Any, room: str) -> None:
    async def scenario() -> None:
        url = livekit_server.url
        async with Node(url, room) as node, caller(url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            await alice.say(vowel(0.5) + silence(0.5))
            await alice.wait_for_event("turn")
            await asyncio.to_thread(livekit_server.restart)
            await node.until(lambda: len(node.logged("subscribe")) == 2, 60)
            spoke_s = time.monotonic()
            await alice.say(vowel(0.5) + silence(0.5))
            heard = await alice.wait_for_event("speech_ended", turn_index=1)
            assert heard["reason"] == "silence"
            turn = await alice.wait_for_event("turn", turn_index=1)
            assert turn["outcome"] == "completed"
            assert turn["vad_speech_ms"] > 300  # all that was said
            await alice.wait_for_sound(since_s=spoke_s)
            assert len(node.calls) == 1
            assert node.logged("reconnecting")
            assert node.logged("reconnected")

    run(scenario(), 180)


def test_a_server_that_is_away_for_long_ends_the_call_and_is_joined_again(livekit_server: Any, room: str) -> None:
    async def scenario() -> None:
        url = livekit_server.url
        async with Node(url, room, grace_s=1.0, mock_reply="tone:600") as node:
            async with caller(url, room) as alice:
                await alice.wait_for_event("listening_to", identity="alice")
                began_s = time.monotonic()
                await alice.say(vowel(0.5) + silence(0.5))
                await alice.wait_for_sound(since_s=began_s)
                await asyncio.to_thread(livekit_server.kill)
                await node.until(lambda: node.lines, 60)  # the caller is given up, whether or not there is a server
                assert node.lines[0]["outcome"] == "closed"
                await node.until(lambda: any("joining again" in line["message"] for line in node.logs), 60)
            await asyncio.to_thread(livekit_server.start)
            await node.until(lambda: len(node.logged("join")) == 2, 60)
            async with caller(url, room) as again:
                await again.wait_for_event("listening_to", identity="alice")
                await again.wait_for_silence(0.3)  # nothing of what the dead room was to hear
                began_s = time.monotonic()
                await again.say(vowel(0.5) + silence(0.5))
                await again.wait_for_sound(since_s=began_s)

    run(scenario(), 200)


def test_a_node_whose_name_is_taken_or_that_is_removed_says_so_and_ends(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room) as first:
            async with Node(livekit_url, room):
                with pytest.raises(UserError, match="LK_BOT_IDENTITY"):
                    await first.until(lambda: False)
            first.running = asyncio.create_task(asyncio.sleep(0))
        async with Node(livekit_url, room) as node, server_api(livekit_url) as server:
            await server.room.remove_participant(api.RoomParticipantIdentity(room=room, identity="ingobot"))
            with pytest.raises(UserError, match="administrator"):
                await node.until(lambda: False)
            node.running = asyncio.create_task(asyncio.sleep(0))

    run(scenario())


# ---------------------------------------------------------------- a first connection that fails


async def refusal(url: str, room: str, secret: str = DEV_SECRET) -> str:
    with pytest.raises(UserError) as caught:
        async with Node(url, room, livekit_api_secret=secret):
            pass
    return str(caught.value)


def test_a_wrong_secret_is_told_from_a_server_that_is_not_there(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        refused = await refusal(livekit_url, room, secret="not the server's secret, by far")
        assert livekit_url in refused
        assert "LIVEKIT_API_SECRET" in refused
        assert "eyJ" not in refused
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            nobody = f"ws://127.0.0.1:{free.getsockname()[1]}"
            said = await refusal(nobody, room)
            assert nobody in said
            assert "nothing listens there" in said

    run(scenario())


def test_a_port_that_takes_connections_and_says_nothing_is_given_up(room: str) -> None:
    async def scenario() -> None:
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            url = f"ws://127.0.0.1:{mute.getsockname()[1]}"
            said = await refusal(url, room)
            assert url in said
            assert "no answer within 10 s" in said

    run(scenario())


# ---------------------------------------------------------------- the end


def test_a_stop_while_the_node_is_still_connecting_ends_it(room: str) -> None:
    async def scenario() -> None:
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            mute.setblocking(False)
            node = Node(f"ws://127.0.0.1:{mute.getsockname()[1]}", room)
            running = asyncio.create_task(node.run())
            connection, _ = await asyncio.get_running_loop().sock_accept(mute)
            with connection:
                node.stop.set()
                await running

    run(scenario())


def test_a_stop_while_the_server_is_away_ends_the_node(livekit_server: Any, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_server.url, room) as node, caller(livekit_server.url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            await asyncio.to_thread(livekit_server.kill)
            await node.until(lambda: node.logged("reconnecting"))

    run(scenario())


def test_a_stop_in_the_middle_of_a_reply_writes_the_turn_and_leaves(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with caller(livekit_url, room) as alice:
            async with Node(livekit_url, room, mock_reply="tone:30") as node:
                await alice.wait_for_event("listening_to", identity="alice")
                began_s = time.monotonic()
                await alice.say(vowel(0.5) + silence(0.5))
                await alice.wait_for_sound(since_s=began_s)
            assert [line["outcome"] for line in node.lines] == ["closed"]
            assert (await alice.wait_for_event("turn"))["outcome"] == "closed"  # the room is told too
            await alice.wait_for(lambda: "ingobot" not in alice.room.remote_participants, "the bot gone")
            assert node.logged("leave")

    run(scenario())


def test_a_session_that_will_not_close_does_not_keep_the_node(livekit_url: str, room: str) -> None:
    class Stubborn:
        origin_us = 0
        graph = "stubborn"
        outdated = False
        between_turns = True

        def hear(self, pcm: bytes, rate: int, echo: bool, t_us: int) -> None:
            pass

        def lost(self, reason: str, t_us: int) -> None:
            pass

        def press(self, digit: Digit, t_us: int) -> None:
            pass

        def cut(self, reason: str) -> None:
            pass

        async def close(self, reason: str = "closed") -> None:
            await asyncio.Event().wait()

    async def scenario() -> None:
        async with (
            Node(livekit_url, room, make_session=lambda _: Stubborn()) as node,
            caller(livekit_url, room) as alice,
        ):
            await alice.wait_for_event("listening_to", identity="alice")
        assert node.logged("leave")

    run(scenario())
