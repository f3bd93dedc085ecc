"""The node's edge in rooms of a real server: whom it hears, when their audio stops, how it loses and finds a room."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from livekit import api, rtc
from livekit.rtc._ffi_client import FfiClient

from tests.e2e.caller import LOUD, Caller
from tests.e2e.node import Node
from tests.speech import silence, vowel
from webapi.voice_node.config import DEV_KEY, DEV_SECRET, load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.livekit_sink import LiveKitSink
from webapi.voice_node.tokens import mint

pytestmark = pytest.mark.e2e


@pytest.fixture
def room() -> str:
    return f"edge-{uuid.uuid4().hex[:8]}"


def run(scenario: Coroutine[Any, Any, None], timeout_s: float = 120) -> None:
    """Run it in a loop of its own. It may leave no task in there, and no queue that the SDK goes on filling."""

    async def alone() -> None:
        await asyncio.wait_for(scenario, timeout_s)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # a room that was closed from afar is done a moment after it says so
            _, left = await asyncio.wait(left, timeout=5)
        assert not left, left
        assert not FfiClient.instance.queue._subscribers

    asyncio.run(alone())


def caller(url: str, room: str, identity: str = "alice", *, bot: bool = False, mic: bool = True) -> Caller:
    settings = load_settings(None, livekit_url=url)
    return Caller(url, mint(settings, identity, room, bot=bot), bot="ingobot", mic=mic)


def server_api(url: str) -> api.LiveKitAPI:
    return api.LiveKitAPI(url.replace("ws://", "http://"), DEV_KEY, DEV_SECRET)


# ---------------------------------------------------------------- a call


def test_a_caller_is_heard_and_answered_and_told_what_happens(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room, mock_reply="tone:1") as node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            began_s = time.monotonic()
            await alice.say(vowel(0.6) + silence(0.5))
            await alice.wait_for_sound(since_s=began_s)
            turn = await alice.wait_for_event("turn")
            assert turn["outcome"] == "completed"
            assert turn["session_id"] == node.calls[0].session_id
            told = [e["event"] for e in alice.events if e.get("trace_id") == turn["trace_id"]]
            assert told == [
                "speech_started", "speech_ended", "reply_started", "llm_request_done", "tts_first_chunk",
                "playback_started", "reply_ended", "playback_ended", "turn",
            ]  # fmt: skip
            assert not node.logged("session_broke")

    run(scenario())


def test_the_bot_falls_silent_when_talked_over(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room, mock_reply="tone:30"), caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            began_s = time.monotonic()
            await alice.say(vowel(0.5) + silence(0.5))
            await alice.wait_for_sound(since_s=began_s)
            await alice.say(vowel(0.5), wait=False)
            await alice.wait_for_event("barge_in")
            await alice.wait_for_silence(0.2)
            turn = await alice.wait_for_event("turn", turn_index=0)
            assert turn["outcome"] == "barged_in"
            assert 0 < turn["heard_ms"] < 30_000

    run(scenario())


def test_what_was_pushed_and_cleared_is_not_heard(livekit_url: str, room: str) -> None:
    def tone(hz: float) -> bytes:
        return (8000 * np.sin(2 * np.pi * hz * np.arange(48_000) / 48_000)).astype("<i2").tobytes()

    def loudest_hz(pcm: bytes) -> float:
        spectrum = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2"), 4800))
        return float(spectrum.argmax()) * 10

    async def scenario() -> None:
        settings = load_settings(None, livekit_url=livekit_url)
        bot, sink = rtc.Room(), LiveKitSink()
        async with caller(livekit_url, room) as alice:
            await bot.connect(livekit_url, mint(settings, "ingobot", room, bot=True))
            await sink.publish(bot, "bot_out")
            began_s = time.monotonic()
            for hz in (400.0, 1500.0):
                pcm = tone(hz)
                for at in range(0, len(pcm), 1920):
                    sink.push(pcm[at : at + 1920])
                if hz == 400.0:
                    await alice.wait_for_sound(since_s=began_s)
                    sink.clear()
            await alice.wait_for(
                lambda: any(loudest_hz(h.pcm) > 1000 for h in alice.heard if h.rms > LOUD), "the second"
            )
            await alice.wait_for_silence(0.5)
            heard = [loudest_hz(h.pcm) for h in alice.heard if h.rms > LOUD]
            first, second = sum(hz < 1000 for hz in heard), sum(hz > 1000 for hz in heard)
            assert 0 < first < second / 2  # both were a second long
            await sink.unbind()
            await bot.disconnect()

    run(scenario())


# ---------------------------------------------------------------- audio that stops


def test_muting_ends_the_utterance_and_unmuting_goes_on_in_the_same_session(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room) as node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            await alice.say(vowel(30), wait=False)
            await alice.wait_for_event("speech_started")
            alice.mute()
            assert (await alice.wait_for_event("speech_ended"))["reason"] == "muted"
            alice.shut_up()
            await alice.wait_for_event("turn")
            alice.unmute()
            await alice.say(silence(0.3) + vowel(0.5) + silence(0.5))
            assert (await alice.wait_for_event("speech_ended", turn_index=1))["reason"] == "silence"
            assert len(node.calls) == 1

    run(scenario())


def test_unpublishing_ends_the_utterance_and_a_new_track_goes_on_in_the_same_session(
    livekit_url: str, room: str
) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room) as node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            await alice.say(vowel(30), wait=False)
            await alice.wait_for_event("speech_started")
            await alice.unpublish()
            alice.shut_up()
            # The server tells of it some 200 ms after the last packet: the decoder's silence may end the speech first.
            assert (await alice.wait_for_event("speech_ended"))["reason"] in ("unpublished", "silence")
            await alice.publish()
            await node.until(lambda: len(node.logged("subscribe")) == 2)
            await alice.say(vowel(0.5) + silence(0.5))
            await alice.wait_for_event("speech_ended", turn_index=1)
            assert len(node.calls) == 1

    run(scenario())


def test_a_track_published_muted_is_heard_once_it_is_unmuted(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room) as node, caller(livekit_url, room, mic=False) as alice:
            await alice.publish(muted=True)
            await node.until(lambda: node.logged("subscribe"))
            alice.unmute()
            await alice.say(silence(0.3) + vowel(0.5) + silence(0.5))
            await alice.wait_for_event("speech_ended")

    run(scenario())


# ---------------------------------------------------------------- whom


def test_a_caller_who_leaves_is_followed_by_the_next_with_a_session_of_their_own(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room, mock_reply="tone:30") as node:
            alice = caller(livekit_url, room)
            async with alice:
                await alice.wait_for_event("listening_to", identity="alice")
                async with caller(livekit_url, room, "bob") as bob:
                    await node.until(lambda: node.logged("ignored"))
                    began_s = time.monotonic()
                    await bob.say(vowel(0.5) + silence(0.5))
                    await alice.say(vowel(0.5) + silence(0.5))
                    await alice.wait_for_sound(since_s=began_s)
                    await alice.leave()
                    await bob.wait_for_event("listening_to", identity="bob")
                    await node.until(lambda: node.lines)
                    assert [line["outcome"] for line in node.lines] == ["closed"]
                    await bob.wait_for_silence(0.3)
                    await node.until(lambda: len(node.logged("subscribe")) == 2)
                    await bob.say(vowel(0.5) + silence(0.5))
                    turn = await bob.wait_for_event("speech_ended", session_id=node.calls[1].session_id)
                    assert turn["turn_index"] == 0
        assert [call.identity for call in node.calls] == ["alice", "bob"]
        assert node.logged("ignored")[0]["identity"] == "bob"

    run(scenario())


def test_neither_a_bot_nor_somebody_without_a_microphone_is_a_caller(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with (
            Node(livekit_url, room) as node,
            caller(livekit_url, room, "observer", mic=False),
            caller(livekit_url, room, "another-bot", bot=True),
            caller(livekit_url, room, "bob") as bob,
        ):
            await bob.wait_for_event("listening_to", identity="bob")
            await node.until(lambda: node.logged("ignored"))
            assert [line["identity"] for line in node.logged("ignored")] == ["another-bot"]
            assert [call.identity for call in node.calls] == ["bob"]

    run(scenario())


def test_a_caller_who_joins_again_under_their_name_keeps_their_session(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room) as node, caller(livekit_url, room) as before:
            await before.wait_for_event("listening_to", identity="alice")
            await node.until(lambda: node.logged("subscribe"))
            async with caller(livekit_url, room) as after:  # the server shows the first one out
                await node.until(lambda: len(node.logged("subscribe")) == 2)
                await after.say(vowel(0.5) + silence(0.5))
                await after.wait_for_event("turn")
                assert len(node.calls) == 1

    run(scenario())


def test_who_comes_later_is_told_whom_the_node_listens_to(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room), caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            async with caller(livekit_url, room, "observer", mic=False) as observer:
                await observer.wait_for_event("listening_to", identity="alice")

    run(scenario())


def test_a_session_that_breaks_is_replaced(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room) as node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            await node.until(lambda: node.logged("subscribe"))
            node.calls[0].broke(RuntimeError("an operator failed"))
            await node.until(lambda: len(node.calls) == 2)
            await alice.say(vowel(0.5) + silence(0.5))
            await alice.wait_for_event("turn", session_id=node.calls[1].session_id)

    run(scenario())


# ---------------------------------------------------------------- a node that is too slow


def test_frames_that_a_stalled_node_drops_are_counted(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with Node(livekit_url, room) as node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            await alice.say(vowel(30), wait=False)
            await alice.wait_for_event("speech_started")
            time.sleep(2)  # noqa: ASYNC251 - the stall: audio goes on coming, and finds nobody
            await node.until(lambda: node.logged("frames_dropped"))
            assert node.logged("frames_dropped")[0]["frames"] > 0

    run(scenario())


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


def test_a_server_that_comes_back_soon_finds_the_same_session(livekit_server: Any, room: str) -> None:
    async def scenario() -> None:
        url = livekit_server.url
        async with Node(url, room) as node, caller(url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            await alice.say(vowel(0.5) + silence(0.5))
            await alice.wait_for_event("turn")
            await asyncio.to_thread(livekit_server.restart)
            await node.until(lambda: len(node.logged("subscribe")) == 2, 60)
            await alice.say(vowel(0.5) + silence(0.5))
            began_s = time.monotonic()
            await alice.wait_for_event("turn", turn_index=1)
            await alice.wait_for_sound(since_s=began_s - 5)
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
            # The room is told too, but leaving waits for that only so long: a machine that stands still may lose it.
            assert all(e["outcome"] == "closed" for e in alice.events if e["event"] == "turn")
            await alice.wait_for(lambda: "ingobot" not in alice.room.remote_participants, "the bot gone")
            assert node.logged("leave")

    run(scenario())


def test_a_session_that_will_not_close_does_not_keep_the_node(livekit_url: str, room: str) -> None:
    class Stubborn:
        origin_us = 0

        def hear(self, pcm: bytes, rate: int) -> None:
            pass

        def lost(self, reason: str) -> None:
            pass

        async def close(self) -> None:
            await asyncio.Event().wait()

    async def scenario() -> None:
        async with (
            Node(livekit_url, room, make_session=lambda _: Stubborn()) as node,
            caller(livekit_url, room) as alice,
        ):
            await alice.wait_for_event("listening_to", identity="alice")
        assert node.logged("leave")

    run(scenario())


def test_two_nodes_in_one_process_serve_two_rooms(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        other = f"{room}-2"
        async with (
            Node(livekit_url, room) as first,
            Node(livekit_url, other) as second,
            caller(livekit_url, room) as alice,
            caller(livekit_url, other, "bob") as bob,
        ):
            await alice.wait_for_event("listening_to", identity="alice")
            await bob.wait_for_event("listening_to", identity="bob")
            await asyncio.gather(alice.say(vowel(0.5) + silence(0.5)), bob.say(vowel(0.5) + silence(0.5)))
            mine, theirs = await alice.wait_for_event("turn"), await bob.wait_for_event("turn")
            assert mine["room"] == room
            assert theirs["room"] == other
            first.stop.set()
            await asyncio.wait([first.running] if first.running else [])
            await bob.say(vowel(0.5) + silence(0.5))
            await bob.wait_for_event("turn", turn_index=1)
            assert {line["room"] for line in second.lines} == {other}

    run(scenario())
