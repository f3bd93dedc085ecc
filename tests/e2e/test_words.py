"""Words, LiveKit's text streams and hanging up on the real server."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit import rtc

from tests.e2e.caller import Caller
from tests.e2e.node import Node
from tests.e2e.rooms import caller, run
from tests.reply.talkative import Talkative
from tests.speech import silence, vowel

Texts = list[tuple[str, str, str]]


def texts_of(alice: Caller) -> Texts:
    """The transcription streams that come to the caller: (from whom, text, final)."""
    found: Texts = []
    tasks = set()

    async def read(reader: rtc.TextStreamReader, identity: str) -> None:
        text = await reader.read_all()
        attributes = reader.info.attributes or {}
        found.append((identity, text, attributes["lk.transcription_final"]))

    def handle(reader: rtc.TextStreamReader, identity: str) -> None:
        task = asyncio.ensure_future(read(reader, identity))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    alice.room.register_text_stream_handler("lk.transcription", handle)
    return found


def test_words_come_as_events_and_text_streams_and_the_bot_hangs_up(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        async with (
            Node(livekit_url, room, orchestrator="tests.reply.talkative:Leaves") as node,
            caller(livekit_url, room) as alice,
        ):
            texts = texts_of(alice)
            await alice.wait_for_event("listening_to", identity="alice")
            await alice.say(vowel(0.5) + silence(0.5))
            turn: dict[str, Any] = await alice.wait_for_event("turn")
            assert turn["outcome"] == "completed"
            assert list(turn["marks"]) == ["speech_to_text"]
            await alice.wait_for_event("hung_up", reason="the caller said goodbye")
            await node.until(lambda: node.logged("call_ended"))
            assert alice.room.connection_state == rtc.ConnectionState.CONN_DISCONNECTED
        sentence = "Good morning. A table for how many people, please?"
        assert ("alice", "Good morning.", "true") in texts
        assert ("ingobot", sentence, "true") in texts
        assert Talkative.last.hooks[-1] == ("on_call_ended", "the bot hung up: the caller said goodbye")
        assert not node.logged("events_dropped")

    run(scenario())
