"""Rooms of the real server for tests: a loop for a scenario, callers, and the server's API."""

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
    """Run a scenario in a loop of its own. It must leave no task, and no queue that the SDK goes on filling."""

    async def alone() -> None:
        await asyncio.wait_for(scenario, timeout_s)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # a room that the server closes is done a moment after its message
            _, left = await asyncio.wait(left, timeout=5)
        assert not left, left
        assert not FfiClient.instance.queue._subscribers

    asyncio.run(alone())


def caller(url: str, room: str, identity: str = "alice", *, bot: bool = False, mic: bool = True) -> Caller:
    """A caller who hears `ingobot`; they join when they are entered."""
    settings = load_settings(None, livekit_url=url)
    return Caller(url, mint(settings, identity, room, bot=bot), bot="ingobot", mic=mic)


def server_api(url: str) -> api.LiveKitAPI:
    """The server's administration API."""
    return api.LiveKitAPI(url.replace("ws://", "http://"), DEV_KEY, DEV_SECRET)
