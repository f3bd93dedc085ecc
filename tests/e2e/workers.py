"""Workers for tests, and calls that are dispatched to them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
from livekit import api

from tests.e2e.caller import Caller
from tests.e2e.process import NodeProcess
from tests.e2e.rooms import caller, server_api
from tests.speech import silence, vowel


class WorkerProcess(NodeProcess):
    """`async with WorkerProcess(folder, url, agent) as worker:` is registered when the block begins."""

    ready = r"^(Ready): agent"
    room_setting = "LK_AGENT_NAME"

    def __init__(self, folder: Path, url: str, agent: str, *arguments: str, **variables: object) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder, url, agent, "worker", *arguments, **{"MONITOR_PORT": 0, **variables})

    def children(self) -> list[psutil.Process]:
        """The processes that it has started."""
        assert self._program is not None
        return list(psutil.Process(self._program.pid).children(recursive=True))

    def rooms(self) -> list[str]:
        """The rooms whose calls it has taken, in order."""
        return [line["room"] for line in self.logged("call_taken")]


async def dispatch(url: str, room: str, agent: str, metadata: str = "") -> None:
    """Dispatch the call in a room to an agent."""
    async with server_api(url) as server:
        request = api.CreateAgentDispatchRequest(agent_name=agent, room=room, metadata=metadata)
        await server.agent_dispatch.create_dispatch(request)


@contextlib.asynccontextmanager
async def dispatched(url: str, room: str, agent: str, **metadata: Any) -> AsyncIterator[Caller]:
    """A caller in a room whose call is dispatched with that metadata."""
    async with caller(url, room) as alice:
        await dispatch(url, room, agent, json.dumps(metadata) if metadata else "")
        yield alice


async def answered(alice: Caller, *, to_the_end: bool = True) -> dict[str, Any]:
    """She says something, and hears the bot. The line of the turn, or its first event."""
    told, began_s = len(alice.events), time.monotonic()
    await alice.say(vowel(0.5) + silence(0.5))
    started = await alice.wait_for_event("playback_started", after=told)
    await alice.wait_for_sound(since_s=began_s)
    if not to_the_end:
        return started
    return await alice.wait_for_event("turn", trace_id=started["trace_id"], outcome="completed")


async def listened_to(alice: Caller, after: int = 0) -> None:
    """A bot has come and listens to her."""
    await alice.wait_for_event("listening_to", after=after, identity="alice")


async def close_room(url: str, room: str) -> None:
    """End the call in a room."""
    async with server_api(url) as server:
        await server.room.delete_room(api.DeleteRoomRequest(room=room))


async def dispatches(url: str, room: str, agent: str) -> list[api.AgentDispatch]:
    """Those of an agent in a room. (Each room has one more, for agents without a name.)"""
    async with server_api(url) as server:
        return [each for each in await server.agent_dispatch.list_dispatch(room) if each.agent_name == agent]
