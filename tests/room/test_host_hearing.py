"""Whom the node hears, and by which track, in a room of virtual time: subscriptions, sessions, messages, log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from livekit import rtc
from loguru import logger

from tests.fake_room import FakeRoom
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.room.who_is_heard import BACK_S

Scene = Callable[[FakeRoom], Awaitable[None]]
Play = Callable[..., FakeRoom]
UNKNOWN = rtc.TrackSource.SOURCE_UNKNOWN
GCM = rtc.EncryptionType.GCM


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Plays a scene with the default graph. No task may be left."""

    def play(scene: Scene, **given: Any) -> FakeRoom:
        settings = load_settings(None, **{"vad_backend": "webrtc", "mock_think_ms": 20, **given})

        async def main() -> FakeRoom:
            async with FakeRoom(load_graph("default", settings), settings, monkeypatch) as room:
                await scene(room)
            assert len(asyncio.all_tasks()) == 1
            return room

        return run_virtual(main())

    return play


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """The log's lines: level, message, and the bound fields."""
    lines: list[dict[str, Any]] = []

    def note(message: Any) -> None:
        record = message.record
        lines.append({"level": record["level"].name, "message": record["message"], **record["extra"]})

    number = logger.add(note, level="DEBUG")
    yield lines
    logger.remove(number)


def listening(room: FakeRoom) -> list[tuple[str | None, str]]:
    """Who was said to be heard, and why, until the node left."""
    told = ((e["identity"], e["reason"]) for e in room.messages.sent if e["event"] == "listening_to")
    return [each for each in told if each[1] != "node_leaves"]


async def answered(room: FakeRoom, turn_index: int = 0, **fields: object) -> dict[str, Any]:
    """Something is said on the newest track, and answered."""
    await asyncio.sleep(0.5)
    await room.say(0.5)
    return await room.until("turn", turn_index=turn_index, **fields)


# ---------------------------------------------------------------- a connection that was lost


def test_another_caller_is_heard_soon_after_the_room_is_back(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await answered(room)
        room.lose()
        await asyncio.sleep(5)
        room.enter()
        room.join("bob")
        await asyncio.sleep(BACK_S + 0.2)
        assert listening(room)[-1] == ("bob", "first")
        await answered(room, session_id=room.calls[-1].session_id)

    room = play(scene)
    assert [call.caller.identity for call in room.calls] == ["alice", "bob"]


def test_the_same_caller_who_is_back_a_moment_after_another_keeps_their_session(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await answered(room)
        room.lose()
        await asyncio.sleep(5)
        room.enter()
        room.join("bob")
        await asyncio.sleep(BACK_S - 0.2)
        room.join("alice")
        await answered(room, turn_index=1)

    room = play(scene)
    assert [call.caller.identity for call in room.calls] == ["alice"]
    assert listening(room) == [("alice", "first"), (None, "connection_lost"), ("alice", "again")]


def test_with_nobody_else_the_session_outlives_the_loss_for_the_whole_grace(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await answered(room)
        room.lose()
        await asyncio.sleep(2)
        room.enter()
        room.join("observer", mic=False)
        await asyncio.sleep(27)
        room.join("alice")
        await answered(room, turn_index=1)
        room.lose()
        await asyncio.sleep(31)
        room.enter()
        room.join("alice")
        await answered(room)

    room = play(scene)
    assert len(room.calls) == 2


def test_while_the_sdk_reconnects_nobody_else_takes_the_seat(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await answered(room)
        room.join("bob")
        room.emit("reconnecting")
        room._connection.up = False
        gone = room.people.pop("alice")
        room.emit("participant_disconnected", gone)
        await asyncio.sleep(10)
        room._connection.up = True
        room.emit("reconnected")
        await asyncio.sleep(BACK_S - 0.2)
        assert len(room.calls) == 1
        await asyncio.sleep(0.4)
        assert [call.caller.identity for call in room.calls] == ["alice", "bob"]

    play(scene)


# ---------------------------------------------------------------- the caller's tracks


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ({}, {}, "newer"),
        ({"muted": True}, {}, "unmuted"),
        ({"source": UNKNOWN}, {}, "microphone"),
        ({"source": UNKNOWN}, {"muted": True}, "microphone"),
    ],
)
def test_a_better_track_of_the_caller_is_heard_instead(
    play: Play, logged: list[dict[str, Any]], first: dict[str, Any], second: dict[str, Any], why: str
) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice", mic=False)
        before = room.publish("alice", "A", **first)
        await asyncio.sleep(0.5)
        room.publish("alice", "B", **second)
        await asyncio.sleep(0.5)
        assert room.tracks[0].closed.is_set()
        assert before.track is None  # unsubscribed
        if second:
            room.mute("alice", "B", False)
        await answered(room)

    room = play(scene)
    assert len(room.calls) == 1
    assert listening(room) == [("alice", "first"), ("alice", why)]
    subscribed = [(line["track_sid"], line["reason"]) for line in logged if line.get("event") == "subscribe"]
    assert subscribed == [("A", "first"), ("B", why)]


def test_a_second_track_is_heard_when_the_first_is_muted_and_the_first_again_when_the_second_is(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice", mic=False)
        room.publish("alice", "A")
        room.publish("alice", "B", muted=True)
        await asyncio.sleep(0.5)
        assert len(room.tracks) == 1
        room.mute("alice", "B", False)
        await answered(room)
        room.mute("alice", "B")
        await answered(room, turn_index=1)
        assert len(room.tracks) == 3

    room = play(scene)
    assert listening(room) == [("alice", "first"), ("alice", "newer"), ("alice", "unmuted")]


def test_muting_the_only_track_changes_nothing_but_the_mute(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await answered(room)
        for _ in range(5):
            room.mute("alice", "TR_alice")
            await asyncio.sleep(0.1)
            room.mute("alice", "TR_alice", False)
            await asyncio.sleep(0.1)
        await answered(room, turn_index=1)

    room = play(scene)
    assert len(room.tracks) == 1
    assert listening(room) == [("alice", "first")]


def test_publish_before_unpublish_ends_the_utterance_and_hears_the_new_track(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        room.publish("alice", "B")
        await asyncio.sleep(0.05)
        room.unpublish("alice", "TR_alice")
        await room.until("speech_ended", reason="another track")
        await room.until("turn")
        await answered(room, turn_index=1)

    room = play(scene)
    assert len(room.calls) == 1
    assert listening(room) == [("alice", "first"), ("alice", "newer")]


def test_the_track_that_is_left_is_heard(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice", mic=False)
        room.publish("alice", "A")
        room.publish("alice", "B")
        await answered(room)
        room.unpublish("alice", "B")
        await answered(room, turn_index=1)

    room = play(scene)
    assert listening(room) == [("alice", "first"), ("alice", "remaining")]


def test_a_track_that_is_not_wanted_any_more_when_it_comes_is_not_heard(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        room.publish("alice", "B").on_subscribed = lambda: None
        await asyncio.sleep(0.1)
        room.mute("alice", "B")
        await asyncio.sleep(0.1)
        room.subscribed("alice", "B")
        await asyncio.sleep(0.1)
        assert room.people["alice"].track_publications["B"].track is None
        assert not room.tracks[0].closed.is_set()
        room.tracks.pop()
        await answered(room)

    room = play(scene)
    assert listening(room) == [("alice", "first")]


def test_the_track_before_is_heard_until_the_new_one_comes(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        room.publish("alice", "B").on_subscribed = lambda: None
        await answered(room)
        room.subscribed("alice", "B")
        await answered(room, turn_index=1)

    room = play(scene)
    assert listening(room) == [("alice", "first"), ("alice", "newer")]


# ---------------------------------------------------------------- encryption


def test_encrypted_audio_is_not_subscribed_to_and_one_warning_and_one_message_say_so(
    play: Play, logged: list[dict[str, Any]]
) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("eve", mic=False)
        room.publish("eve", "E", encryption_type=GCM)
        await asyncio.sleep(1)
        for muted in (True, False, True, False):
            room.mute("eve", "E", muted)
            await asyncio.sleep(0.3)
        assert not room.tracks
        assert listening(room) == [(None, "encrypted")]
        room.publish("eve", "C")
        await answered(room)

    room = play(scene)
    told = [e for e in room.messages.sent if e["event"] == "not_heard"]
    assert told == [{"event": "not_heard", "identity": "eve", "reason": "encrypted"}]
    assert [line["level"] for line in logged if line.get("event") == "not_heard"] == ["WARNING"]
    assert listening(room) == [(None, "encrypted"), ("eve", "first")]


def test_a_caller_whose_new_track_is_encrypted_is_heard_by_the_old_one(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        room.publish("alice", "E", encryption_type=GCM)
        await answered(room)

    room = play(scene)
    assert not [e for e in room.messages.sent if e["event"] == "not_heard"]
    assert len(room.tracks) == 1


# ---------------------------------------------------------------- a caller without audio


def test_a_caller_who_publishes_nothing_any_more_is_said_to_be_unheard_and_keeps_the_seat_alone(play: Play) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await answered(room)
        room.unpublish("alice", "TR_alice")
        await asyncio.sleep(300)
        assert listening(room)[-1] == (None, "no_track")
        room.publish("alice", "B")
        await answered(room, turn_index=1)

    room = play(scene)
    assert len(room.calls) == 1
    assert listening(room) == [("alice", "first"), (None, "no_track"), ("alice", "again")]


@pytest.mark.parametrize("order", ["bob was there", "bob comes later"])
def test_the_seat_is_given_up_where_somebody_else_publishes(play: Play, order: str) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await answered(room)
        if order == "bob was there":
            room.join("bob")
        room.unpublish("alice", "TR_alice")
        await asyncio.sleep(1)
        assert listening(room)[-1] == (None, "no_track")
        if order == "bob comes later":
            await asyncio.sleep(60)
            room.join("bob")
        await asyncio.sleep(BACK_S)
        await answered(room, session_id=room.calls[-1].session_id)
        room.publish("alice", "B")
        await answered(room, turn_index=1, session_id=room.calls[-1].session_id)

    room = play(scene)
    assert [call.caller.identity for call in room.calls] == ["alice", "bob"]
    assert listening(room)[-1] == ("bob", "first")


@pytest.mark.parametrize("how", ["it never comes", "it is refused"])
def test_a_caller_whose_audio_does_not_come_keeps_nobody_else_from_the_seat(play: Play, how: str) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice", mic=False)
        room.publish("alice", "A").on_subscribed = lambda: None
        await asyncio.sleep(0.5)
        room.join("bob")
        if how == "it is refused":
            room.emit("track_subscription_failed", room.people["alice"], "A", "not allowed")
            await asyncio.sleep(1.5)
        else:
            await asyncio.sleep(7)
        assert listening(room)[-1] == ("bob", "first")
        await answered(room, session_id=room.calls[-1].session_id)
        room.leave("bob")
        await asyncio.sleep(1)
        room.subscribed("alice", "A")  # at last
        await answered(room, session_id=room.calls[-1].session_id)

    room = play(scene)
    assert [call.caller.identity for call in room.calls] == ["alice", "bob", "alice"]


# ---------------------------------------------------------------- kinds of participants


def test_a_recorder_and_an_ingress_are_no_callers(play: Play, logged: list[dict[str, Any]]) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("recorder", kind=rtc.ParticipantKind.PARTICIPANT_KIND_EGRESS)
        room.join("stream", kind=rtc.ParticipantKind.PARTICIPANT_KIND_INGRESS)
        await asyncio.sleep(1)
        assert not room.calls
        room.join("phone", kind=rtc.ParticipantKind.PARTICIPANT_KIND_SIP)
        await answered(room)

    room = play(scene)
    assert [call.caller.identity for call in room.calls] == ["phone"]
    ignored = {line["identity"]: line["reason"] for line in logged if line.get("event") == "ignored"}
    assert ignored == {"recorder": "of kind egress", "stream": "of kind ingress"}
