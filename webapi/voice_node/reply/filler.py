"""A filler: audio that is said once while a reply is late. The reply waits for its end. A halt drops it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from reactivex import Observable, Subject
from reactivex import operators as ops

from webapi.voice_node.events import BYTES_PER_SAMPLE, FillerAudio, Reply, Turn, length_us
from webapi.voice_node.reactive.async_iterator import close, from_async_iterator
from webapi.voice_node.reactive.tasks import Tasks
from webapi.voice_node.reply.chunk_reader import EMPTY_S
from webapi.voice_node.reply.pacing import Pacing, QueueDepth
from webapi.voice_node.reply.pause_gate import PauseGate

LONGEST_S = 10
TAIL_MS = 5  # of silence after it: as much as a resampler may hold back until the reply comes


class FillerRule(NamedTuple):
    """What is said where a reply is late."""

    prompt: str  # a WAV file or a key of the orchestrator: see prompts.py
    after_s: float  # after the reply was asked for


class Filler:
    """The filler of one reply, whose orchestrator is asked now.

        reply    R---------------------a-a-a-a-Z     R asked, a audio, Z ended
        filler   --------f-f-f-f-f-f---              f begins `after_s` later, unless the first a is there

    Its audio (int16 mono at `rate` Hz, from `get`) is fetched whole before any of it is sent, so that only its length
    delays the reply. `clock` gives µs. `gate` is the reply's: where it closes while the filler is said, the rest of
    the filler is dropped.
    """

    def __init__(
        self,
        turn: Turn,
        rate: int,
        get: Callable[[], Awaitable[AsyncIterator[bytes] | None]],
        *,
        after_s: float,
        clock: Callable[[], int],
        depth: QueueDepth,
        gate: PauseGate,
    ) -> None:
        self._turn = turn
        self._rate = rate
        self._get = get
        self._after_s = after_s
        self._clock = clock
        self._depth = depth
        self._halts = gate.halts
        self._began = False
        self._said = asyncio.Event()
        self._unneeded: Subject[None] = Subject()

    def audio(self, tasks: Tasks) -> Observable[Reply]:
        """The filler's audio, paced as a reply is; nothing where it is not needed. Errors are those of `get`."""
        return from_async_iterator(self._say, tasks).pipe(ops.take_until(self._unneeded), ops.take_until(self._halts))

    async def over(self) -> None:
        """The reply is there, or none will be: wait for the end of a filler that has begun, else drop the filler."""
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
            pacing = Pacing(self._depth, self._clock)
            size = self._bytes(self._depth.high_ms - self._depth.low_ms)
            for at in range(0, len(pcm), size):
                piece = pcm[at : at + size]
                await pacing.ready()
                yield FillerAudio(self._clock(), self._turn, piece, self._rate)
                await pacing.sent(length_us(piece, self._rate))
            await pacing.played()
        finally:
            self._said.set()

    async def _whole(self) -> bytes:
        """All of its audio, in whole samples; what is beyond LONGEST_S is left out."""
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
                await close(chunks)
        return pcm[: min(len(pcm) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE, self._bytes(LONGEST_S * 1000))]

    def _bytes(self, ms: int) -> int:
        return self._rate * ms // 1000 * BYTES_PER_SAMPLE
