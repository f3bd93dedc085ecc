"""One reply of an orchestrator as a stream of values: asked, timed, cut into pieces, paced; it always ends well."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from webapi.voice_node.events import (
    BYTES_PER_SAMPLE,
    US_PER_MS,
    US_PER_S,
    Reply,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    SpeechEnded,
    TtsFirstChunk,
    Turn,
    Uninterruptible,
    seconds,
)
from webapi.voice_node.orchestrator import Orchestrator

T = TypeVar("T")

EMPTY_S = 0.001  # a pause after a chunk without audio
PIECE_US = 20 * US_PER_MS  # the first piece, which must not wait for more; those after it are multiples


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How far a reply may be ahead of the room: filled up to `high_ms` whenever it has fallen to `low_ms`.

    A stall of `low_ms` is not heard. The orchestrator is asked for more only then, so a flood of audio waits with it.
    """

    high_ms: int = 400
    low_ms: int = 200


class PauseGate:
    """Lets a reply's audio out, but not while it has halted. `lost_us`: for how long it has, so far."""

    def __init__(self) -> None:
        self.lost_us = 0
        self._halted_us = 0
        self._takes = asyncio.Event()
        self._takes.set()

    def halt(self, t_us: int) -> None:
        """From now on it waits."""
        self._halted_us = t_us
        self._takes.clear()

    def resume(self, t_us: int) -> None:
        """It goes on."""
        self.lost_us += t_us - self._halted_us
        self._takes.set()

    async def ready(self) -> None:
        """Wait until it takes audio."""
        if not self._takes.is_set():
            await self._takes.wait()


@dataclass(frozen=True, slots=True)
class ReplySource:
    """Where a reply comes from, and what it has to heed."""

    get: Callable[[], Awaitable[AsyncIterator[bytes]]]
    interruptible: Callable[[], Awaitable[bool]]  # asked once, when its first audio is there
    may_speak: Callable[[], Awaitable[None]]  # waited for before its own audio, or its end, goes out


async def stream_reply(
    source: ReplySource,
    turn: Turn,
    rate: int,
    *,
    clock: Callable[[], int],
    timeout_s: float,
    pace: QueueDepth,
    gate: PauseGate,
) -> AsyncGenerator[Reply, None]:
    """`ReplyStarted`, the audio in pieces, `ReplyEnded` with how it went. Raises nothing but a cancel.

    A reply that takes longer than `timeout_s` for any of its chunks is over (`timeout`). The first piece has 20 ms,
    those after it as many times 20 ms as have come and fit into `pace`, the last one what is left. Pieces are whole
    samples: the odd byte of a chunk is kept for the next one, and dropped at the end.
    """
    size = rate * PIECE_US // US_PER_S * BYTES_PER_SAMPLE
    yield ReplyStarted(clock(), turn)
    first_us: int | None = None
    sent_us = 0  # how much audio has gone out
    held = b""
    chunks: AsyncIterator[bytes] | None = None
    patience = ReplyTimeout(timeout_s)
    try:
        chunks = await patience.wait(source.get())
        patience.renew()
        while True:
            try:
                chunk = await patience.wait(chunks.__anext__())
            except StopAsyncIteration:
                break
            if isinstance(chunk, (bytes, bytearray, memoryview)) and not len(chunk):  # it must not keep the loop
                await asyncio.sleep(EMPTY_S)
                if patience.over:
                    raise ReplyTimedOutError
                continue
            if not isinstance(chunk, (bytes, bytearray, memoryview)):
                raise TypeError(f"get_audio_reply gave {type(chunk).__name__}, not bytes")
            held += bytes(chunk)
            if first_us is None and len(held) >= BYTES_PER_SAMPLE:
                first_us = clock()
                yield TtsFirstChunk(first_us, turn)
                if not await source.interruptible():
                    yield Uninterruptible(first_us, turn)
                await source.may_speak()
            view = memoryview(held)
            while len(view) >= size:
                assert first_us is not None  # noqa: S101 - for the type checker: there was a sample
                await gate.ready()
                ahead_us = first_us + sent_us + gate.lost_us - clock()
                if ahead_us < 0:  # the orchestrator was slower than speech: the room has waited
                    first_us, ahead_us = first_us - ahead_us, 0
                fit = (pace.high_ms * US_PER_MS - ahead_us) // PIECE_US
                count = max(1, min(fit, len(view) // size)) if sent_us else 1
                yield ReplyAudio(clock(), turn, bytes(view[: count * size]), rate)
                if sent_us == 0:
                    await asyncio.sleep(0)  # it is on its way to the room before the next ones are made ready
                view = view[count * size :]
                sent_us += count * PIECE_US
                ahead_us += count * PIECE_US
                if ahead_us >= pace.high_ms * US_PER_MS:
                    await asyncio.sleep((ahead_us - pace.low_ms * US_PER_MS) / US_PER_S)
            held = bytes(view)
            patience.renew()
        whole = len(held) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        if whole:
            yield ReplyAudio(clock(), turn, held[:whole], rate)
        await source.may_speak()
        odd = "the reply ended in half a sample, which was dropped" if len(held) > whole else ""
        yield ReplyEnded(clock(), turn, "completed" if first_us is not None else "empty", odd)
    except ReplyTimedOutError:
        await source.may_speak()
        yield ReplyEnded(clock(), turn, "timeout", f"no audio for {timeout_s:g} s (REPLY_TIMEOUT_MS)")
    except Exception as error:
        await source.may_speak()
        yield ReplyEnded(clock(), turn, "failed", f"{type(error).__name__}: {error}")
    finally:
        patience.end()
        close = getattr(chunks, "aclose", None)
        if close:
            await close()


async def answer_of(orchestrator: Orchestrator, ended: SpeechEnded) -> AsyncIterator[bytes]:
    """What the orchestrator says to an utterance."""
    told = orchestrator.on_speech_ended(
        ended.turn.trace_id, ended.pcm, seconds(ended.t_first_byte_us), seconds(ended.t_last_byte_us)
    )
    if inspect.isawaitable(told):
        await told
    chunks = orchestrator.get_audio_reply(ended.turn.trace_id, ended.pcm)
    if inspect.isawaitable(chunks):  # an `async def` that returns an iterator, instead of being one
        chunks = await chunks
    return aiter(chunks)


async def interruptible(orchestrator: Orchestrator, trace_id: str) -> bool:
    """Whether the caller may talk over the reply."""
    ask = getattr(orchestrator, "is_interruptible", None)
    answer = ask(trace_id) if ask else True
    return bool(await answer if inspect.isawaitable(answer) else answer)


async def yes() -> bool:
    """Whoever wants to may talk over it."""
    return True


async def at_once() -> None:
    """Nothing to wait for."""


class ReplyTimedOutError(Exception):
    """The orchestrator took too long for its next chunk."""


class ReplyTimeout:
    """Waits in the task that makes it, for each thing `timeout_s` from the last `renew` on.

    Chunks come fifty times a second, and most are there at once. So each gets neither a task of its own
    (`asyncio.wait_for`) nor a timer (`asyncio.timeout`): one timer looks now and then whether time is up.
    """

    def __init__(self, timeout_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker: this runs in one
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = self._expired = False
        self.renew()

    def renew(self) -> None:
        """The time begins anew."""
        self._due_s = self._loop.time() + self._timeout_s

    @property
    def over(self) -> bool:
        """The time is up."""
        return self._loop.time() >= self._due_s

    async def wait(self, work: Awaitable[T]) -> T:
        """The result of `work`, or TimedOutError."""
        self._waiting, self._expired = True, False
        if self._timer is None:
            self._timer = self._loop.call_at(self._due_s, self._look)
        try:
            return await work
        except asyncio.CancelledError:
            if not self._expired:
                raise
            raise ReplyTimedOutError from None
        finally:
            self._waiting = False
            if self._expired and sys.version_info >= (3, 11):
                self._task.uncancel()  # also where `work` made nothing of it

    def end(self) -> None:
        """Nothing more will be waited for."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        timer, self._timer = self._timer, None
        if not self._waiting or timer is None:
            return  # the next wait sets one again
        if self._due_s > timer.when():  # renewed since
            self._timer = self._loop.call_at(self._due_s, self._look)
            return
        self._expired = True
        self._task.cancel()
