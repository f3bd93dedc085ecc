"""Reads the chunks of one reply from the orchestrator's iterator, each within the time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from webapi.voice_node.errors import as_exception
from webapi.voice_node.errors.contained import contained
from webapi.voice_node.reactive.async_iterator import close
from webapi.voice_node.reply.reply_timeout import ReplyTimedOutError, ReplyTimeout

EMPTY_S = 0.001  # the pause after a chunk without audio: an iterator that gives only those must not keep the loop
T = TypeVar("T")


class ChunkReader:
    """`async with ChunkReader(…) as reader`: `open`, then `read` until it gives None. All of it in one task.

    `open`, `read` and `wait` raise ReplyTimedOutError when nothing has come for `timeout_s`, and what the orchestrator
    raises. At the end the iterator is closed, if it can be; `failed` gets what goes wrong with that.
    """

    def __init__(self, timeout_s: float, failed: Callable[[str, BaseException], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = ReplyTimeout(timeout_s)
        self._failed = failed
        self._chunks: AsyncIterator[bytes] | None = None

    async def __aenter__(self) -> ChunkReader:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._timeout.renew()
        try:
            with contained(lambda error: self._failed("aclose", error)):
                await self._timeout.wait(close(self._chunks))
        finally:
            self._timeout.end()

    async def open(self, get: Callable[[], Awaitable[AsyncIterator[bytes]]]) -> None:
        """Ask for the iterator."""
        self._chunks = await self._wait(get())

    async def wait(self, work: Awaitable[T]) -> T:
        """Something else that the reply needs from the orchestrator. The time limit starts with the call."""
        self._timeout.renew()
        return await self._wait(work)

    async def read(self) -> bytes | None:
        """The next chunk that is not empty; None at the end. The time limit starts with the call.

        Raises TypeError for a chunk that is not bytes.
        """
        assert self._chunks is not None  # noqa: S101 - for the type checker: it was opened
        self._timeout.renew()
        while True:
            try:
                chunk = await self._wait(self._chunks.__anext__())
            except StopAsyncIteration:
                return None
            if not isinstance(chunk, (bytes, bytearray, memoryview)):
                raise TypeError(f"get_audio_reply gave {type(chunk).__name__}, not bytes")
            if len(chunk):
                return bytes(chunk)
            await asyncio.sleep(EMPTY_S)
            if self._timeout.over:
                raise ReplyTimedOutError

    async def _wait(self, work: Awaitable[T]) -> T:
        try:
            return await self._timeout.wait(work)
        except GeneratorExit as error:  # the orchestrator's own; a reply's stream is closed where it yields, not here
            if self._loop.is_closed():  # a task that was left behind is destroyed
                raise
            raise as_exception(error) from None
