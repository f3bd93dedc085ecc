"""A phone caller on the real server: a participant of the kind and with the attributes that livekit-sip gives them.

The phone network and livekit-sip itself are not in this test: `python -m bench.phone` has them.
"""

from __future__ import annotations

from livekit import api, rtc

from tests.e2e.caller import Caller
from tests.e2e.node import Node
from tests.e2e.rooms import run
from tests.reply.keypads import Keypad
from tests.speech import silence, vowel
from webapi.voice_node.config import DEV_KEY, DEV_SECRET

NUMBER = "+493012345678"
OF_CALL = {"sip.phoneNumber": NUMBER, "sip.trunkPhoneNumber": "+4930999", "sip.callID": "SCL_1", "sip.trunkID": "ST_1"}


def phone(url: str, room: str, status: str) -> Caller:
    """A caller of kind sip; they join when they are entered."""
    grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
    token = api.AccessToken(DEV_KEY, DEV_SECRET).with_identity(f"sip_{NUMBER}").with_name("Phone of Anna")
    token = token.with_kind("sip").with_grants(grants).with_attributes({**OF_CALL, "sip.callStatus": status})
    return Caller(url, token.to_jwt(), bot="ingobot")


def keypad(node_url: str, room: str) -> Node:
    return Node(node_url, room, orchestrator="tests.reply.keypads:LeavesAtHash")


def test_a_phone_is_served_when_it_is_answered_its_keys_are_told_and_the_bot_hangs_up(
    livekit_url: str, room: str
) -> None:
    async def scenario() -> None:
        async with keypad(livekit_url, room) as node, phone(livekit_url, room, "ringing") as anna:
            await node.until(lambda: node.logged("ignored"))
            assert "not answered: ringing" in node.logged("ignored")[0]["message"]
            assert node.calls == []
            await anna.room.local_participant.set_attributes({"sip.callStatus": "active"})
            await anna.wait_for_event("listening_to", identity=f"sip_{NUMBER}")
            call = Keypad.last.call
            assert (call.kind, call.number, call.name) == ("sip", NUMBER, "Phone of Anna")
            assert dict(call.attributes) == {**OF_CALL, "sip.callStatus": "active"}
            await anna.say(vowel(0.5) + silence(0.5))
            await anna.wait_for_event("playback_started")
            for code, digit in ((4, "4"), (10, "*"), (11, "#")):
                await anna.room.local_participant.publish_dtmf(code=code, digit=digit)
            await anna.wait_for_event("dtmf", digit="#")
            await anna.wait_for_event("hung_up", reason="the caller pressed #")
            await node.until(lambda: node.logged("call_ended"))
            assert anna.room.connection_state == rtc.ConnectionState.CONN_DISCONNECTED
        assert [hook[1] for hook in Keypad.last.hooks if hook[0] == "on_dtmf"] == ["4", "*", "#"]
        assert Keypad.last.hooks[-1] == ("on_call_ended", "the bot hung up: the caller pressed #")
        assert [line["message"] for line in node.logged("dtmf")] == ["caller pressed a key (turn 0)"] * 3
        assert [line["outcome"] for line in node.lines] == ["completed"]

    run(scenario())


def test_a_caller_who_hangs_up_ends_the_call(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with keypad(livekit_url, room) as node:
            async with phone(livekit_url, room, "active") as anna:
                await anna.wait_for_event("listening_to", identity=f"sip_{NUMBER}")
            await node.until(lambda: node.logged("call_ended"))
            assert Keypad.last.hooks[-1] == ("on_call_ended", "caller left")

    run(scenario())
