"""A web server of the node with a client, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Protocol

import aiohttp


class Server(Protocol):
    async def start(self) -> str: ...

    async def stop(self) -> None: ...


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A client of the server, and its URL; the server serves while the block runs."""
    url = await server.start()
    try:
        async with aiohttp.ClientSession() as client:
            yield client, url
    finally:
        await server.stop()
