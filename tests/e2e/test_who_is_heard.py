"""Whom the node hears, and by which track, in rooms of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit import api, rtc

from tests.e2e.caller import RATE_HZ, Caller
from tests.e2e.node import Node
from tests.e2e.rooms import caller, run
from tests.speech import silence, vowel
from webapi.voice_node.config import DEV_KEY, DEV_SECRET, load_settings
from webapi.voice_node.room.tokens import mint

pytestmark = pytest.mark.e2e

MICROPHONE, UNKNOWN = rtc.TrackSource.SOURCE_MICROPHONE, rtc.TrackSource.SOURCE_UNKNOWN


@asynccontextmanager
async def silent_track(room: rtc.Room, source: int = MICROPHONE, *, muted: bool = False) -> AsyncIterator[str]:
    """A track that is published and gives nothing but silence; its sid."""
    audio = rtc.AudioSource(RATE_HZ, 1)
    track = rtc.LocalAudioTrack.create_audio_track("silent", audio)
    if muted:
        track.mute()
    options = rtc.TrackPublishOptions(source=source)  # type: ignore[arg-type]  # one of the enum's values
    publication = await room.local_participant.publish_track(track, options)
    try:
        yield publication.sid
    finally:
        await audio.aclose()


async def is_answered(alice: Caller, **turn: Any) -> None:
    await alice.say(vowel(0.5) + silence(0.5))
    assert (await alice.wait_for_event("turn", **turn))["outcome"] == "completed"


def test_another_caller_is_heard_soon_after_the_server_is_back(livekit_server: Any, room: str) -> None:
    async def scenario() -> None:
        url = livekit_server.url
        async with Node(url, room, grace_s=600) as node:  # who is waited for so long would never be followed
            async with caller(url, room) as alice:
                await alice.wait_for_event("listening_to", identity="alice")
                await is_answered(alice)
                await asyncio.to_thread(livekit_server.kill)
                await node.until(lambda: node.logged("reconnecting"))
            await asyncio.to_thread(livekit_server.start)
            async with caller(url, room, "bob") as bob:
                await node.until(lambda: node.logged("reconnected"), 60)
                await bob.wait_for_event("listening_to", identity="bob")
                await is_answered(bob, session_id=node.calls[-1].session_id)
        assert [call.caller.identity for call in node.calls] == ["alice", "bob"]

    run(scenario())


@pytest.mark.parametrize(
    ("source", "muted", "unpublished", "why"),
    [
        pytest.param(MICROPHONE, False, False, "newer", id="a second microphone beside a silent one"),
        pytest.param(MICROPHONE, True, False, "unmuted", id="a second microphone beside a muted one"),
        pytest.param(MICROPHONE, False, True, "newer", id="publish before unpublish"),
        pytest.param(UNKNOWN, False, False, "microphone", id="a microphone after an unknown source"),
    ],
)
def test_the_track_that_speaks_is_heard(
    livekit_url: str, room: str, source: int, muted: bool, unpublished: bool, why: str
) -> None:
    async def scenario() -> None:
        # The node's own tokens for callers allow no source but a microphone.
        token = (
            api.AccessToken(DEV_KEY, DEV_SECRET)
            .with_identity("alice")
            .with_grants(api.VideoGrants(room_join=True, room=room))
        )
        alice = Caller(livekit_url, token.to_jwt(), bot="ingobot", mic=False)
        async with Node(livekit_url, room) as node, alice:
            async with silent_track(alice.room, source, muted=muted) as sid:
                await alice.wait_for_event("listening_to", identity="alice", reason="first")
                await alice.publish()
                await alice.wait_for_event("listening_to", identity="alice", reason=why)
                if unpublished:
                    await alice.room.local_participant.unpublish_track(sid)
                await is_answered(alice)
            assert len(node.calls) == 1
            assert [line["reason"] for line in node.logged("subscribe")] == ["first", why]

    run(scenario())


def test_audio_that_is_encrypted_end_to_end_is_refused_with_one_warning(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        encryption = rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=b"no key of the node's"))
        eve, token = rtc.Room(), mint(load_settings(None, livekit_url=livekit_url), "eve", room)
        async with Node(livekit_url, room) as node, caller(livekit_url, room, "observer", mic=False) as observer:
            await eve.connect(livekit_url, token, rtc.RoomOptions(encryption=encryption))
            async with silent_track(eve):
                assert (await observer.wait_for_event("not_heard"))["identity"] == "eve"
                async with caller(livekit_url, room, "bob") as bob:
                    await bob.wait_for_event("listening_to", identity="bob")
                    await is_answered(bob)
                await observer.wait_for_event("listening_to", identity=None, after=len(observer.events))
            await eve.disconnect()
        assert [(line["identity"], line["level"]) for line in node.logged("not_heard")] == [("eve", "WARNING")]
        assert [e for e in observer.events if e["event"] == "not_heard"] == [
            {"event": "not_heard", "identity": "eve", "reason": "encrypted"}
        ]
        assert [call.caller.identity for call in node.calls] == ["bob"]

    run(scenario())
