"""A phone in a room of virtual time: its keys, when it is answered, and who hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from livekit import rtc

from tests.fake_room import FakeRoom
from tests.reply.keypads import Keypad
from tests.reply.talkative import Talkative
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.room.caller import MOST_KEYS

SIP = rtc.ParticipantKind.PARTICIPANT_KIND_SIP


@pytest.fixture
def in_room(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[FakeRoom], Coroutine[Any, Any, None]]], FakeRoom]:
    """Runs a scenario in a room with the orchestrator Keypad."""
    settings = load_settings(None, vad_backend="webrtc", orchestrator="tests.reply.keypads:Keypad")

    def run(scenario: Callable[[FakeRoom], Coroutine[Any, Any, None]]) -> FakeRoom:
        async def main() -> FakeRoom:
            async with FakeRoom(load_graph("default", settings), settings, monkeypatch) as room:
                await scenario(room)
            return room

        return run_virtual(main())

    return run


def press(room: FakeRoom, identity: str, *digits: str) -> None:
    """LiveKit's message that a participant has pressed keys."""
    for digit in digits:
        room.emit("sip_dtmf_received", rtc.SipDTMF(0, digit, room.people.get(identity)))  # type: ignore[arg-type]


def set_status(room: FakeRoom, identity: str, status: str) -> None:
    """livekit-sip says how far the call is."""
    room.people[identity].attributes["sip.callStatus"] = status
    room.emit("participant_attributes_changed", {"sip.callStatus": status}, room.people[identity])


def keys() -> str:
    return "".join(hook[1] for hook in Keypad.last.hooks if hook[0] == "on_dtmf")


def test_the_keys_of_the_caller_are_told_and_nobody_elses(in_room: Any) -> None:
    async def scenario(room: FakeRoom) -> None:
        room.join("alice", kind=SIP)
        await asyncio.sleep(0.5)
        room.join("bob")
        await asyncio.sleep(0.5)
        press(room, "alice", "1", "d", "#")
        press(room, "bob", "2")
        press(room, "nobody", "3")
        press(room, "alice", "", "45", "flash")
        await room.until("dtmf", digit="#")

    room = in_room(scenario)
    assert keys() == "1D#"
    assert [m["digit"] for m in room.messages.sent if m["event"] == "dtmf"] == ["1", "D", "#"]


def test_a_client_that_sends_keys_without_end_is_not_heard_more_often_than_anybody_can_press(in_room: Any) -> None:
    async def scenario(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        press(room, "alice", *"1" * 1000)
        await asyncio.sleep(1)
        press(room, "alice", "2")
        await asyncio.sleep(0.1)

    in_room(scenario)
    assert keys() == "1" * MOST_KEYS + "2"


def test_keys_that_come_before_the_session_is_made_wait_for_it(in_room: Any) -> None:
    async def scenario(room: FakeRoom) -> None:
        room.make_error = RuntimeError("the model is not loaded yet")
        room.join("alice", kind=SIP)
        await asyncio.sleep(0.2)
        press(room, "alice", "7")
        room.make_error = None
        await room.until("dtmf")

    in_room(scenario)
    assert keys() == "7"


def test_a_phone_that_rings_is_served_from_when_it_is_answered(in_room: Any) -> None:
    async def scenario(room: FakeRoom) -> None:
        room.join("phone", mic=False, kind=SIP)
        set_status(room, "phone", "dialing")
        room.publish("phone", "TR_phone")
        await asyncio.sleep(1)
        set_status(room, "phone", "ringing")
        await asyncio.sleep(9)
        assert (room.calls, room.tracks) == ([], [])
        set_status(room, "phone", "active")
        await asyncio.sleep(0.1)
        assert [call.caller.attributes["sip.callStatus"] for call in room.calls] == ["active"]
        await room.say(0.5)
        await room.until("turn")

    in_room(scenario)


def test_a_caller_who_hangs_up_ends_the_call(in_room: Any) -> None:
    async def scenario(room: FakeRoom) -> None:
        room.join("phone", kind=SIP)
        set_status(room, "phone", "active")
        await asyncio.sleep(0.5)
        set_status(room, "phone", "hangup")
        room.leave("phone")
        await asyncio.sleep(0.5)
        assert Talkative.last.hooks[-1] == ("on_call_ended", "caller left")

    in_room(scenario)
