"""One reply as a stream of values: asked for, limited in time, cut into pieces and paced. It always ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from webapi.voice_node.errors import describe
from webapi.voice_node.events import (
    Reply,
    ReplyAudio,
    ReplyEnded,
    ReplyOutcome,
    ReplyStarted,
    TtsFirstChunk,
    Turn,
    Uninterruptible,
)
from webapi.voice_node.reply.audio_format import HEAD_BYTES, NotPcmError, check_pcm
from webapi.voice_node.reply.chunk_reader import ChunkReader
from webapi.voice_node.reply.pacing import Pacing
from webapi.voice_node.reply.piece_cutter import PIECE_US, PieceCutter
from webapi.voice_node.reply.reply_source import ReplySource
from webapi.voice_node.reply.reply_timeout import ReplyTimedOutError

ODD = "the reply ended in half a sample, which was dropped"
IGNORED = "it goes on after its reply was cancelled, and is closed"


class ReplyStream:
    """The stream of one reply, `values`, at `rate` Hz. `clock` gives µs.

    Whatever the orchestrator raises ends the reply as `failed`. A chunk that takes longer than `timeout_s` ends it as
    `timeout`. `cancelled` says whether the node has cancelled the reply: nothing more is taken from it then. `failed`
    is told what goes wrong beside the reply's outcome.
    """

    def __init__(
        self,
        source: ReplySource,
        turn: Turn,
        rate: int,
        *,
        clock: Callable[[], int],
        timeout_s: float,
        pacing: Pacing,
        cancelled: Callable[[], bool],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._source = source
        self._turn = turn
        self._rate = rate
        self._clock = clock
        self._timeout_s = timeout_s
        self._pacing = pacing
        self._cancelled = cancelled
        self._failed = failed
        self._outcome: ReplyOutcome = "empty"
        self._detail = ""

    async def values(self) -> AsyncGenerator[Reply, None]:
        """`ReplyStarted`, the audio in pieces, `ReplyEnded`. Raises only where the node has cancelled it."""
        yield ReplyStarted(self._clock(), self._turn)
        async with ChunkReader(self._timeout_s, self._failed) as reader:
            try:
                await reader.open(self._source.get)
                async with aclosing(self._audio(reader)) as audio:
                    async for value in audio:
                        yield value
            except (GeneratorExit, KeyboardInterrupt):
                raise
            except ReplyTimedOutError:
                self._outcome, self._detail = "timeout", f"no audio for {self._timeout_s:g} s (REPLY_TIMEOUT_MS)"
            except NotPcmError as error:
                self._outcome, self._detail = "failed", str(error)
            except BaseException as error:
                if self._cancelled():
                    raise
                self._outcome, self._detail = "failed", describe(error)
            await self._source.may_speak()
            yield ReplyEnded(self._clock(), self._turn, self._outcome, self._detail)

    async def _audio(self, reader: ChunkReader) -> AsyncGenerator[Reply, None]:
        """The first piece has 20 ms, those after it as many times 20 ms as have come and fit into the queue, the last
        one what is left. Pieces are whole samples: the odd byte of a chunk is kept for the next one, and dropped at the
        end.
        """
        cutter = PieceCutter(self._rate)
        while chunk := await reader.read():
            if self._cancelled():
                self._failed("get_audio_reply", RuntimeError(IGNORED))
                raise asyncio.CancelledError
            cutter.push(chunk)
            if self._outcome == "empty" and cutter.has_sample:
                self._outcome, first_us = "completed", self._clock()
                yield TtsFirstChunk(first_us, self._turn)
                if not await reader.wait(self._source.interruptible()):
                    yield Uninterruptible(first_us, self._turn)
                await self._source.may_speak()
            while cutter.pieces and self._is_pcm(cutter):
                room_us, first = await self._pacing.ready(), not self._pacing.sent_us
                pcm, us = cutter.take(1 if first else room_us // PIECE_US)
                yield ReplyAudio(self._clock(), self._turn, pcm, self._rate)
                if first:
                    await asyncio.sleep(0)  # it is on its way to the room before the next ones are made ready
                await self._pacing.sent(us)
        self._is_pcm(cutter)
        rest, odd = cutter.rest()
        self._detail = ODD if odd else ""
        if rest:
            yield ReplyAudio(self._clock(), self._turn, rest, self._rate)

    def _is_pcm(self, cutter: PieceCutter) -> bool:
        """Whether the reply may be played, as its first bytes show. Raises NotPcmError where it is something else."""
        return self._pacing.sent_us > 0 or check_pcm(cutter.head(HEAD_BYTES), self._rate)
