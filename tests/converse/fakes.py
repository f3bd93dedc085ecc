"""Parts and a call for tests in virtual time: they log what happens and when, and do what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Literal, cast

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.converse.converse import Converse
from webapi.voice_node.converse.parts import Heard, Message, PartError
from webapi.voice_node.orchestrator import Call

RATE = 8000
SECOND = b"\1\0" * RATE
LOST = PartError("part", "it is lost", "Find it")


@dataclass
class Log:
    """What happened, as `(ms, what)`, in order. `open_now`: what is open at this moment."""

    entries: list[tuple[int, str]] = field(default_factory=list)
    open_now: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        self.entries.append((round(asyncio.get_running_loop().time() * 1000), what))

    def begin(self, what: str) -> None:
        self.add(what)
        self.open_now.append(what)

    def end(self, what: str) -> None:
        self.open_now.remove(what)

    def all(self) -> list[str]:
        return [what for _, what in self.entries]

    def at(self, what: str) -> int:
        return next(ms for ms, each in self.entries if each == what)


class FakePart:
    timeout_s = 10.0

    def __init__(self, log: Log, name: str) -> None:
        self.log, self.label = log, name
        self.open_errors: list[Exception | float] = []  # one for each time it is opened; seconds: how long it takes
        self.aclose_s = 0.0
        self.aclose_error: Exception | None = None

    async def open(self) -> None:
        self.log.add(f"open {self.label}")
        what = self.open_errors.pop(0) if self.open_errors else 0.0
        if isinstance(what, Exception):
            raise what
        await asyncio.sleep(what)

    async def aclose(self) -> None:
        await asyncio.sleep(self.aclose_s)
        self.log.add(f"close {self.label}")
        if self.aclose_error:
            raise self.aclose_error


class FakeStt(FakePart):
    """Hears `text` 100 ms after the audio has ended, and the first word of it with the first audio."""

    def __init__(self, log: Log) -> None:
        super().__init__(log, "stt")
        self.text = "hello bot"
        self.delay_s = 0.1
        self.close_s = 0.0  # how long a stream takes to close
        self.error: Exception | None = None
        self.audio: list[bytes] = []

    async def listen(self, audio: AsyncIterator[bytes], rate: int) -> AsyncIterator[Heard]:
        self.audio.append(b"")
        self.log.begin("listen")
        try:
            async for pcm in audio:
                if not self.audio[-1] and self.text.strip():
                    yield Heard(self.text.split()[0], False)
                self.audio[-1] += pcm
            await asyncio.sleep(self.delay_s)
            if self.error:
                raise self.error
            yield Heard(self.text, True)
        finally:
            if self.close_s:
                await asyncio.sleep(self.close_s)
            self.log.end("listen")


class FakeLlm(FakePart):
    """Writes `pieces`, one each 100 ms. An exception among them is raised; a float is a wait in seconds."""

    def __init__(self, log: Log) -> None:
        super().__init__(log, "llm")
        self.pieces: list[str | float | Exception] = ["One. ", "Two. ", "Three. ", "Four."]
        self.asked: list[list[tuple[str, str]]] = []

    async def chat(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        self.asked.append([(each.role, each.text) for each in messages])
        self.log.begin("chat")
        try:
            for piece in list(self.pieces):
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, float):
                    await asyncio.sleep(piece)
                    continue
                await asyncio.sleep(0.1)
                yield piece
        finally:
            self.log.end("chat")


class FakeTts(FakePart):
    """Needs 200 ms for a sentence, whose speech is two chunks of half a second. `errors`: by sentence."""

    rate = RATE

    def __init__(self, log: Log) -> None:
        super().__init__(log, "tts")
        self.delay_s = 0.1
        self.chunk = SECOND[: len(SECOND) // 2]
        self.errors: dict[str, Exception] = {}

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        self.log.begin(f"speak {text}")
        try:
            for number in range(2):
                await asyncio.sleep(self.delay_s)
                if number and text in self.errors:
                    raise self.errors[text]
                yield self.chunk
            self.log.add(f"made {text}")
        finally:
            self.log.end(f"speak {text}")


class FakeCall:
    rate = RATE

    def __init__(self, log: Log) -> None:
        self.log = log
        self.said: list[AsyncGenerator[bytes, None]] = []

    def transcript(
        self, trace_id: str, text: str, speaker: Literal["caller", "bot"] = "caller", final: bool = True
    ) -> None:
        self.log.add(f"{trace_id} {speaker}: {text}{'' if final else '…'}")

    def say(self, chunks: Any, interruptible: bool = True) -> str:
        self.said.append(chunks)
        return f"s{len(self.said)}"

    def mark(self, trace_id: str, name: str) -> None:
        self.log.add(f"{trace_id} mark {name}")


class Stage:
    """A Converse of these parts. `call` is None for a node without calls."""

    def __init__(self, **arguments: Any) -> None:
        self.log = Log()
        self.stt, self.llm, self.tts, self.call = FakeStt(self.log), FakeLlm(self.log), FakeTts(self.log), None
        self.bot = Converse(stt=self.stt, llm=self.llm, tts=self.tts, **{"prompt": "Be brief.", **arguments})

    async def start(self) -> FakeCall:
        call = FakeCall(self.log)
        await self.bot.on_call_started(cast(Call, call))
        return call

    def speak(self, trace_id: str, seconds: int = 1) -> bytes:
        """The caller speaks, all at once. Returns the utterance."""
        self.bot.on_speech_started(trace_id, 0.0)
        for _ in range(seconds):
            self.bot.on_partial_audio(trace_id, SECOND)
        self.bot.on_speech_ended(trace_id, SECOND * seconds, 0.0, 1.0)
        return SECOND * seconds

    async def play(self, chunks: AsyncGenerator[bytes, None], *, real_time: bool = False) -> bytes:
        """Take a reply as the node does, and close it: whole, or at the pace at which it is heard."""
        pcm = b""
        async with aclosing(chunks):
            async for chunk in chunks:
                self.log.add(f"chunk {len(chunk)}")
                pcm += chunk
                if real_time:
                    await asyncio.sleep(len(chunk) / 2 / RATE)
        return pcm

    async def turn(self, trace_id: str, **how: Any) -> bytes:
        """A whole turn. Its reply is heard to its end."""
        pcm = await self.play(self.bot.get_audio_reply(trace_id, self.speak(trace_id)), **how)
        self.bot.on_playback_ended(trace_id, len(pcm) * 1000 // 2 // RATE, True)
        return pcm


def tasks() -> int:
    """How many tasks run beside this one."""
    return len(asyncio.all_tasks()) - 1


async def pieces(*pcm: bytes) -> AsyncGenerator[bytes, None]:
    """Audio as it comes."""
    for each in pcm:
        yield each


async def turn(converse: Converse, trace_id: str, pcm: bytes) -> bytes:
    """An utterance, told as the node tells it, and the whole reply."""
    converse.on_speech_started(trace_id, 0.0)
    converse.on_partial_audio(trace_id, pcm)
    converse.on_speech_ended(trace_id, pcm, 0.0, 0.1)
    async with aclosing(converse.get_audio_reply(trace_id, pcm)) as chunks:
        return b"".join([chunk async for chunk in chunks])


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test runs in virtual time, and leaves neither a task nor an open part."""

    @wraps(test)
    def run(**arguments: Any) -> None:
        async def body() -> None:
            await test(**arguments)
            await asyncio.sleep(0)
            assert tasks() == 0

        run_virtual(body())

    return run


def quiet(log: Log) -> None:
    assert log.open_now == []
