"""What is said once while a reply is late: never into the reply, and never cut short by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from reactivex import Observable, Subject
from reactivex import operators as ops

from webapi.voice_node.events import BYTES_PER_SAMPLE, US_PER_MS, US_PER_S, FillerAudio, Reply, Turn
from webapi.voice_node.reactive.async_iterator import Spawn, from_async_iterator
from webapi.voice_node.reply.reply_stream import EMPTY_S, QueueDepth

LONGEST_S = 10
TAIL_MS = 5  # of silence behind it: as much as a resampler may hold back until the reply comes


class Filler:
    """The filler of one reply, whose orchestrator is asked now.

        reply    R---------------------a-a-a-a-Z     R asked, a audio, Z ended
        filler   --------f-f-f-f-f-f---              f begins `after_s` later, unless the first a is there

    Its audio is had whole before any of it is said, so that nothing but its length can hold the reply up.
    """

    def __init__(
        self,
        turn: Turn,
        rate: int,
        get: Callable[[], Awaitable[AsyncIterator[bytes] | None]],
        *,
        after_s: float,
        clock: Callable[[], int],
        pace: QueueDepth,
    ) -> None:
        self._turn = turn
        self._rate = rate
        self._get = get
        self._after_s = after_s
        self._clock = clock
        self._pace = pace
        self._began = False
        self._said = asyncio.Event()
        self._unneeded: Subject[None] = Subject()

    def audio(self, spawn: Spawn) -> Observable[Reply]:
        """What it says, paced as a reply is. Errors are those of `get`; nothing was said then."""
        return from_async_iterator(self._say, spawn).pipe(ops.take_until(self._unneeded))

    async def over(self) -> None:
        """The reply comes, or none will: a filler that has begun is waited for, another one is not said."""
        if self._began:
            await self._said.wait()
        else:
            self._unneeded.on_next(None)

    async def _say(self) -> AsyncGenerator[Reply, None]:
        await asyncio.sleep(self._after_s)
        pcm = await self._whole()
        if not pcm:
            return
        pcm += bytes(self._bytes(TAIL_MS))
        self._began = True
        try:
            began_us = self._clock()
            size, sent_us = self._bytes(self._pace.high_ms - self._pace.low_ms), 0
            for at in range(0, len(pcm), size):
                piece = pcm[at : at + size]
                yield FillerAudio(self._clock(), self._turn, piece, self._rate)
                sent_us += len(piece) // BYTES_PER_SAMPLE * US_PER_S // self._rate
                ahead_us = began_us + sent_us - self._clock()
                if ahead_us >= self._pace.high_ms * US_PER_MS:
                    await asyncio.sleep((ahead_us - self._pace.low_ms * US_PER_MS) / US_PER_S)
            await asyncio.sleep(max(0, began_us + sent_us - self._clock()) / US_PER_S)
        finally:
            self._said.set()

    async def _whole(self) -> bytes:
        """All of it, in whole samples; what is beyond the longest is left out."""
        chunks = await self._get()
        pcm = b""
        if chunks is not None:
            try:
                async for chunk in chunks:
                    if not len(chunk):
                        await asyncio.sleep(EMPTY_S)
                    pcm += chunk
                    if len(pcm) > self._bytes(LONGEST_S * 1000):
                        break
            finally:
                close = getattr(chunks, "aclose", None)
                if close:
                    await close()
        return pcm[: min(len(pcm) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE, self._bytes(LONGEST_S * 1000))]

    def _bytes(self, ms: int) -> int:
        return self._rate * ms // 1000 * BYTES_PER_SAMPLE
