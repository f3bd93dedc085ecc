"""One reply as a stream of values: asked for, limited in time, cut into pieces and paced. It always ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

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
from webapi.voice_node.reply.chunk_reader import ChunkReader
from webapi.voice_node.reply.pacing import Pacing
from webapi.voice_node.reply.piece_cutter import PIECE_US, PieceCutter
from webapi.voice_node.reply.reply_source import ReplySource
from webapi.voice_node.reply.reply_timeout import ReplyTimedOutError


async def stream_reply(
    source: ReplySource, turn: Turn, rate: int, *, clock: Callable[[], int], timeout_s: float, pacing: Pacing
) -> AsyncGenerator[Reply, None]:
    """`ReplyStarted`, the audio in pieces at `rate` Hz, `ReplyEnded` with the outcome. Raises nothing but a cancel.

    A reply that takes longer than `timeout_s` for any of its chunks is over (`timeout`). The first piece has 20 ms,
    those after it as many times 20 ms as have come and fit into the queue, the last one what is left. Pieces are whole
    samples: the odd byte of a chunk is kept for the next one, and dropped at the end.
    """
    yield ReplyStarted(clock(), turn)
    cutter = PieceCutter(rate)
    outcome: ReplyOutcome = "empty"
    detail = ""
    async with ChunkReader(timeout_s) as reader:
        try:
            await reader.open(source.get)
            while chunk := await reader.read():
                cutter.push(chunk)
                if outcome == "empty" and cutter.has_sample:
                    outcome, first_us = "completed", clock()
                    yield TtsFirstChunk(first_us, turn)
                    if not await source.interruptible():
                        yield Uninterruptible(first_us, turn)
                    await source.may_speak()
                while cutter.pieces:
                    room_us, first = await pacing.ready(), not pacing.sent_us
                    pcm, us = cutter.take(1 if first else room_us // PIECE_US)
                    yield ReplyAudio(clock(), turn, pcm, rate)
                    if first:
                        await asyncio.sleep(0)  # it is on its way to the room before the next ones are made ready
                    await pacing.sent(us)
            rest, odd = cutter.rest()
            if rest:
                yield ReplyAudio(clock(), turn, rest, rate)
            if odd:
                detail = "the reply ended in half a sample, which was dropped"
        except ReplyTimedOutError:
            outcome, detail = "timeout", f"no audio for {timeout_s:g} s (REPLY_TIMEOUT_MS)"
        except Exception as error:
            outcome, detail = "failed", f"{type(error).__name__}: {error}"
        await source.may_speak()
        yield ReplyEnded(clock(), turn, outcome, detail)
