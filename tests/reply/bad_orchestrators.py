"""Orchestrators that do what none should, one fault each: what it costs must be their own turn and nothing more."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from webapi.voice_node.orchestrator_mock import tone

RATE_HZ = 8000


class Panic(BaseException):
    """As PyO3's PanicException: no Exception."""


def cancelled_future() -> None:
    """Raise CancelledError as `task.result()` of a cancelled task does."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    future.result()


def panic() -> None:
    """Raise what is no Exception."""
    raise Panic("index out of bounds")


def leave() -> None:
    """Ask for the end of the program."""
    raise SystemExit(3)


def stop_iteration() -> None:
    """Raise what means something else to whoever calls a generator."""
    raise StopIteration("no more")


def generator_exit() -> None:
    """Raise what closes a generator, as if it were one's own."""
    raise GeneratorExit("mine")


RAISES: dict[str, Callable[[], None]] = {
    "GeneratorExit": generator_exit,
    "CancelledError": cancelled_future,
    "Panic": panic,
    "SystemExit": leave,
    "StopIteration": stop_iteration,
}


class Fine:
    """Answers with two seconds of a tone in pieces; remembers its calls."""

    last: ClassVar[Any]

    def __init__(self) -> None:
        type(self).last = Fine.last = self
        self.calls: list[str] = []

    def on_speech_started(self, trace_id: str, ts_monotonic: float) -> None:
        self.calls.append("on_speech_started")

    def on_speech_ended(self, trace_id: str, utterance_pcm: bytes, t_first_byte: float, t_last_byte: float) -> None:
        self.calls.append("on_speech_ended")

    def on_barge_in_detected(self, trace_id: str) -> None:
        self.calls.append("on_barge_in_detected")

    def stop_playback(self, trace_id: str) -> None:
        self.calls.append("stop_playback")

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        for _ in range(20):
            await asyncio.sleep(0.05)
            yield tone(0.1, RATE_HZ, 440)


def broken(method: str, how: str, *, in_async: bool) -> type:
    """A class like Fine whose `method` raises in one of the ways of RAISES."""

    def plain(self: Any, *_: Any) -> None:
        RAISES[how]()

    async def later(self: Any, *_: Any) -> None:
        await asyncio.sleep(0.01)
        RAISES[how]()

    return type(f"{method}_{how}", (Fine,), {method: later if in_async else plain})


def reply_that(how: str, after: int) -> type:
    """A class like Fine whose first reply raises after so many chunks."""

    class Raises(Fine):
        turn = 0

        async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
            self.turn += 1
            if self.turn > 1:
                async for chunk in super().get_audio_reply(trace_id, user_pcm):
                    yield chunk
                return
            for _ in range(after):
                yield tone(0.1, RATE_HZ, 440)
            RAISES[how]()

    return Raises


class HangsInIsInterruptible(Fine):
    """Never says whether it may be interrupted."""

    async def is_interruptible(self, trace_id: str) -> bool:
        return await asyncio.Event().wait()


class HangsInSpeechEnded(Fine):
    """Never takes the utterance."""

    async def on_speech_ended(self, *_: Any) -> None:  # type: ignore[override]  # a coroutine will do
        await asyncio.Event().wait()


@dataclass
class _Iterator:
    """A tone of a second, with an `aclose` of one's own."""

    on_close: Callable[[], Any]
    left: int = 10
    closed: list[str] = field(default_factory=list)

    def __aiter__(self) -> _Iterator:
        return self

    async def __anext__(self) -> bytes:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        await asyncio.sleep(0.02)
        return tone(0.1, RATE_HZ, 440)

    def aclose(self) -> Any:
        self.closed.append("closed")
        return self.on_close()


async def _hang() -> None:
    await asyncio.Event().wait()


async def _raise() -> None:
    raise RuntimeError("already gone")


def _raise_plainly() -> None:
    raise RuntimeError("already gone")


CLOSES: dict[str, Callable[[], Any]] = {
    "plain": lambda: None,
    "raises": _raise,
    "raises plainly": _raise_plainly,
    "panics": panic,
    "cancelled": cancelled_future,
    "hangs": _hang,
}


def closes(how: str) -> type:
    """A class whose iterators have that `aclose`."""

    class Closes(Fine):
        made: ClassVar[list[_Iterator]] = []

        def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> Any:
            self.made.append(_Iterator(CLOSES[how]))
            return self.made[-1]

    return Closes


class AsyncHooks(Fine):
    """Every hook is a coroutine that takes another time; `log` has their ends in order, `utterances` their audio."""

    log: ClassVar[list[tuple[str, str]]] = []
    sent: ClassVar[dict[str, bytes]] = {}
    utterances: ClassVar[dict[str, bytes]] = {}

    def __init__(self) -> None:
        super().__init__()
        AsyncHooks.log, AsyncHooks.sent, AsyncHooks.utterances = [], {}, {}
        self.count = 0

    async def on_speech_started(self, trace_id: str, ts_monotonic: float) -> None:  # type: ignore[override]
        await asyncio.sleep(0.05)  # opens a socket
        self.sent[trace_id] = b""
        self.log.append(("started", trace_id[-4:]))

    async def on_partial_audio(self, trace_id: str, pcm: bytes) -> None:
        self.count += 1
        await asyncio.sleep(0.03 if self.count % 2 else 0.001)
        self.sent[trace_id] += pcm
        self.log.append(("partial", trace_id[-4:]))

    async def on_speech_ended(self, trace_id: str, utterance_pcm: bytes, *_: Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0.01)
        self.utterances[trace_id] = utterance_pcm
        self.log.append(("ended", trace_id[-4:]))

    async def on_barge_in_detected(self, trace_id: str) -> None:  # type: ignore[override]
        await asyncio.sleep(0.05)
        self.log.append(("barge", trace_id[-4:]))

    async def stop_playback(self, trace_id: str) -> None:  # type: ignore[override]
        await asyncio.sleep(0.2)
        self.log.append(("stop", trace_id[-4:]))

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        self.log.append(("get", trace_id[-4:]))
        async for chunk in super().get_audio_reply(trace_id, user_pcm):
            yield chunk


class StallsInPartialAudio(Fine):
    """Its speech-to-text socket is stalled; `most` is how many calls wait at once."""

    most: ClassVar[int] = 0
    waiting: ClassVar[int] = 0

    async def on_partial_audio(self, trace_id: str, pcm: bytes) -> None:
        StallsInPartialAudio.waiting += 1
        StallsInPartialAudio.most = max(StallsInPartialAudio.most, StallsInPartialAudio.waiting)
        try:
            await asyncio.Event().wait()
        finally:
            StallsInPartialAudio.waiting -= 1


class SwallowsCancel(Fine):
    """Its first reply swallows its cancel and goes on; `pulled` counts its chunks."""

    pulled: ClassVar[int] = 0
    turn = 0

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        self.turn += 1
        if self.turn > 1:
            yield tone(0.5, RATE_HZ, 440)
            return
        for _ in range(400):
            with suppress(BaseException):  # that is the fault
                await asyncio.sleep(0.1)
            SwallowsCancel.pulled += 1
            yield tone(0.05, RATE_HZ, 440)


class PlainGenerator(Fine):
    """`def` where `async def` is needed."""

    def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> Any:
        yield tone(0.5, RATE_HZ, 440)


def wav(rate: int) -> bytes:
    """A second of a tone as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes(tone(1, rate, 440))
    return file.getvalue()


FORMATS: dict[str, bytes] = {
    "wav": wav(24_000),
    "ogg": b"OggS" + bytes(range(256)) * 20,
    "mp3 with a tag": b"ID3\x04" + bytes(range(256)) * 20,
    "mp3": (b"\xff\xfb\x90\x00" + bytes(413)) * 20,
    "flac": b"fLaC" + bytes(range(256)) * 20,
    "webm": b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 20,
    "mp4": b"\x00\x00\x00\x20ftypM4A " + bytes(range(256)) * 20,
    "float32": (np.sin(np.arange(8000) / 5) * 0.4).astype("<f4").tobytes(),
    "soft float32": (np.random.default_rng(1).normal(0, 0.003, 8000)).astype("<f4").tobytes(),
}


def gives(data: bytes, size: int) -> type:
    """A class that answers with these bytes in pieces."""

    class Gives(Fine):
        async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
            for at in range(0, len(data), size):
                yield data[at : at + size]

    return Gives


class OnlyTheReply:
    """Nothing but what is required, and no room for anything else."""

    __slots__ = ()

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        yield tone(0.5, RATE_HZ, 440)


@dataclass(frozen=True)
class Frozen:
    """No attribute can be set."""

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        yield tone(0.5, RATE_HZ, 440)
