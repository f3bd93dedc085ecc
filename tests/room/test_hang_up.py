"""The bot hangs up, and the words of a call as LiveKit's text streams, in a room of virtual time."""

from __future__ import annotations

import asyncio

import pytest
from livekit import rtc

from tests.fake_room import FakeRoom
from tests.reply.talkative import Talkative
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.events import HeardText, Transcript, Turn
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.room.text_streams import TextStreams


def served(name: str, monkeypatch: pytest.MonkeyPatch) -> FakeRoom:
    """Alice says something to that orchestrator, and waits."""
    settings = load_settings(None, vad_backend="webrtc", orchestrator=f"tests.reply.talkative:{name}")

    async def main() -> FakeRoom:
        async with FakeRoom(load_graph("default", settings), settings, monkeypatch) as room:
            room.join("alice", kind=rtc.ParticipantKind.PARTICIPANT_KIND_SIP)
            await asyncio.sleep(0.5)
            await room.say(0.5)
            await room.until("turn")
            await asyncio.sleep(1)
            assert ("alice" in room.people) == (name != "Leaves")
        return room

    return run_virtual(main())


def test_whom_the_bot_hangs_up_on_is_taken_out_of_the_room_once_and_the_orchestrator_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = served("Leaves", monkeypatch)
    assert room.removed == ["alice"]
    names = [message["event"] for message in room.messages.sent]
    assert names.index("playback_ended") < names.index("hung_up")
    assert Talkative.last.hooks[-1] == ("on_call_ended", "the bot hung up: the caller said goodbye")
    assert (Talkative.last.call.identity, Talkative.last.call.kind) == ("alice", "sip")


def test_where_the_server_does_not_take_them_out_the_call_goes_on_and_can_be_hung_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load_settings(None, vad_backend="webrtc", orchestrator="tests.reply.talkative:Leaves")

    async def main() -> FakeRoom:
        async with FakeRoom(load_graph("default", settings), settings, monkeypatch) as room:
            room.removes = False
            room.join("alice")
            for turn in range(2):
                await asyncio.sleep(0.5)
                await room.say(0.5)
                await room.until("turn", turn_index=turn)
            await asyncio.sleep(1)
        return room

    assert run_virtual(main()).removed == ["alice", "alice"]
    assert Talkative.last.hooks[-1] == ("on_call_ended", "the node leaves")


def test_a_caller_who_stays_is_told_of_when_the_node_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    room = served("Talkative", monkeypatch)
    assert room.removed == []
    assert Talkative.last.hooks[-1][0] == "on_call_ended"
    assert [(t.text, t.final, t.speaker) for t in room.messages.texts] == [
        ("good", False, "alice"),
        ("Good morning.", True, "alice"),
        ("Good morning.", False, None),
        ("Good morning. A table for how many people, please?", False, None),
        ("Good morning. A table for how many people, please?", True, None),
    ]
    assert len({t.segment for t in room.messages.texts}) == 2


def test_words_of_the_other_side_between_two_sentences_take_nothing_away() -> None:
    turn, streams = Turn("s-0000", 0), TextStreams("alice")
    said = [
        Transcript(1, turn, "One.", "bot"),
        Transcript(2, turn, "mm", "caller", final=False),
        Transcript(3, turn, "Two.", "bot"),
    ]
    assert [t.text for t in map(streams.of, said) if t] == ["One.", "mm", "One. Two."]


def test_of_an_interrupted_reply_the_final_words_are_those_that_were_heard() -> None:
    turn, streams = Turn("s-0000", 0), TextStreams("alice")
    said = [
        Transcript(1, turn, "One two.", "bot"),
        Transcript(2, turn, "Three four.", "bot"),
        HeardText(3, turn, "One"),
    ]
    told = [streams.of(event) for event in said]
    assert [(t.text, t.attributes["lk.transcription_final"]) for t in told if t] == [
        ("One two.", "false"), ("One two. Three four.", "false"), ("One", "true"),
    ]  # fmt: skip
