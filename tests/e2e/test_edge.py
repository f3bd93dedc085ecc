"""The node's edge in rooms of a real server: a call, audio that stops, and whom it hears."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from livekit import rtc

from tests.e2e.caller import LOUD
from tests.e2e.node import Node
from tests.e2e.rooms import caller, run
from tests.speech import silence, vowel
from webapi.voice_node.config import load_settings
from webapi.voice_node.room.tokens import mint
from webapi.voice_node.room.track_sink import TrackSink

pytestmark = pytest.mark.e2e


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
        bot, sink = rtc.Room(), TrackSink()
        async with caller(livekit_url, room) as alice:
            await sink.prepare()
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
            alice.stop_talking()
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
            alice.stop_talking()
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
        assert [call.caller.identity for call in node.calls] == ["alice", "bob"]
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
            assert [call.caller.identity for call in node.calls] == ["bob"]

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
