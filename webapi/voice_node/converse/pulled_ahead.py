"""An async iterator that is read by a task of its own, ahead of whoever takes its values."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, TypeVar

from webapi.voice_node.reactive.async_iterator import close

T = TypeVar("T")

CLOSE_S = 2.0  # how long a close waits for a source that ignores its cancel
MOST = 256  # values that wait


class PulledAhead(Generic[T]):
    """Gives what `source` yields, in order, and then its end or its error. Use it by `async with` and `async for`.

    At most `most` values wait. Where `late` is given, a value that is waited for longer than `timeout_s` raises what
    `late()` returns. Leaving it cancels the task, which closes the source, and waits for that.
    """

    def __init__(
        self,
        source: AsyncIterator[T],
        *,
        timeout_s: float = 0,
        late: Callable[[], Exception] | None = None,
        most: int = MOST,
    ) -> None:
        self._source = source
        self._timeout_s = timeout_s
        self._late = late
        self._most = most
        self._values: deque[T] = deque()
        self._expired = False
        self._came = asyncio.Event()
        self._taken = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._pull())
        self._task.add_done_callback(lambda _: self._came.set())

    async def _pull(self) -> None:
        try:
            async for value in self._source:
                self._values.append(value)
                self._came.set()
                while len(self._values) >= self._most:
                    self._taken.clear()
                    await self._taken.wait()
        finally:
            await close(self._source)

    def __aiter__(self) -> PulledAhead[T]:
        return self

    async def __anext__(self) -> T:
        if not self._values and not self._task.done():
            await self._wait()
        if self._values:
            self._taken.set()
            return self._values.popleft()
        if self._task.cancelled():
            raise asyncio.CancelledError
        error = self._task.exception()
        if error is not None:
            raise error
        raise StopAsyncIteration

    async def _wait(self) -> None:
        """Until a value is there or the source is at its end. Raises what `late()` returns."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._timeout_s, self._expire) if self._late else None
        self._expired = False
        try:
            while not (self._values or self._task.done() or self._expired):
                self._came.clear()
                await self._came.wait()
        finally:
            if timer is not None:
                timer.cancel()
        if self._late and self._expired and not self._values and not self._task.done():
            raise self._late()

    def _expire(self) -> None:
        self._expired = True
        self._came.set()

    async def aclose(self) -> None:
        """Stop, and close the source. Returns when that is done, or after CLOSE_S."""
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=CLOSE_S)
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # nobody wants it any more

    async def __aenter__(self) -> PulledAhead[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
