"""Rooms of the real server for tests: a loop to play a scene in, callers, and the server's own API."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from livekit import api
from livekit.rtc._ffi_client import FfiClient

from tests.e2e.caller import Caller
from webapi.voice_node.config import DEV_KEY, DEV_SECRET, load_settings
from webapi.voice_node.room.tokens import mint


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
    """Somebody who talks to `ingobot`, once they are entered."""
    settings = load_settings(None, livekit_url=url)
    return Caller(url, mint(settings, identity, room, bot=bot), bot="ingobot", mic=mic)


def server_api(url: str) -> api.LiveKitAPI:
    """What an administrator of the server can do."""
    return api.LiveKitAPI(url.replace("ws://", "http://"), DEV_KEY, DEV_SECRET)
