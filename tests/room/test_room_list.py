"""The room service: what is told where something answers that is no LiveKit server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.node.worker.dispatches import Dispatches
from webapi.voice_node.room.room_list import FAILURES, RoomList

PAGE = b"<html>The service is under maintenance.</html>"


@asynccontextmanager
async def a_page_for_all() -> AsyncIterator[Settings]:
    """Settings with the address of a server that answers each request with 200 and a page, as some proxies do."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield pinned_settings(livekit_url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


def test_a_page_instead_of_an_answer_is_no_answer() -> None:
    async def scenario() -> None:
        async with a_page_for_all() as settings, RoomList(settings) as rooms:
            with pytest.raises(UserError, match="LIVEKIT_URL"):
                await rooms.all()
            assert not await rooms.has("a", "bot")

    asyncio.run(scenario())


def test_nor_is_it_one_for_the_watch_over_other_workers() -> None:
    async def scenario() -> None:
        async with a_page_for_all() as settings, Dispatches(settings) as dispatches:
            with pytest.raises(UserError):
                await dispatches.rooms()
            with pytest.raises(FAILURES):
                await dispatches.look("a")
            assert await dispatches.exists("AD", "a")
            assert await dispatches.probe("a", "bot", 1.0) is None
            assert not await dispatches.delete("AD", "a")

    asyncio.run(scenario())
