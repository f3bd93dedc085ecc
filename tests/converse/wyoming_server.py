"""A Wyoming server of the package `wyoming` itself, for tests. What it says and how it fails is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.server import AsyncEventHandler, AsyncTcpServer
from wyoming.tts import Synthesize

Way = Literal["", "error", "silent", "hang up", "hang up in the middle", "noise"]


@dataclass
class WyomingServer:
    """`port` is set while it runs. `heard` has the PCM of each utterance, `asked` the events that began a request."""

    text: str = "hello bot"
    chunks: tuple[str, ...] = ()  # of the transcript, where the server streams it: each after some audio
    speech: tuple[bytes, ...] = (b"\1\0" * 2205, b"\2\0" * 2205)
    rate: int = 22_050
    width: int = 2
    does: tuple[str, ...] = ("asr", "tts")
    models: tuple[str, ...] = ()  # that it lists, as models and as voices
    fails: dict[str, Way] = field(default_factory=dict)  # by type of event
    heard: list[bytes] = field(default_factory=list)
    asked: list[Event] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def uri(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[WyomingServer]:
        server = AsyncTcpServer("127.0.0.1", self.port)
        await server.start(lambda reader, writer: _Handler(self, reader, writer))
        listening: Any = server._server
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            await server.stop()

    def info(self) -> Info:
        about: dict[str, Any] = {
            "name": "test",
            "attribution": Attribution("test", ""),
            "installed": True,
            "description": "",
            "version": "1",
        }
        named = [{**about, "name": name, "languages": ["en"]} for name in self.models]
        asr = [AsrProgram(**about, models=[AsrModel(**each) for each in named])] if "asr" in self.does else []
        tts = [TtsProgram(**about, voices=[TtsVoice(**each) for each in named])] if "tts" in self.does else []
        return Info(asr=asr, tts=tts)


class _Handler(AsyncEventHandler):
    def __init__(self, server: WyomingServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self._set = server
        self._chunks = list(server.chunks)
        server.connections += 1

    async def disconnect(self) -> None:
        self._set.connections -= 1

    async def handle_event(self, event: Event) -> bool:
        way = self._set.fails.get(event.type, "")
        if way == "error":
            await self.write_event(Error("no good", code="test").event())
        elif way == "noise":
            self.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if way in ("error", "silent"):
            return True
        if way in ("hang up", "noise"):
            return False
        if Describe.is_type(event.type):
            await self.write_event(self._set.info().event())
        elif Transcribe.is_type(event.type):
            self._set.asked.append(event)
            self._set.heard.append(b"")
        elif AudioChunk.is_type(event.type):
            await self._hear(AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type):
            await self._transcribe()
        elif Synthesize.is_type(event.type):
            self._set.asked.append(event)
            return await self._speak(way == "hang up in the middle")
        return True

    async def _hear(self, chunk: AudioChunk) -> None:
        assert (chunk.rate, chunk.width, chunk.channels) == (16_000, 2, 1)
        self._set.heard[-1] += chunk.audio
        if self._chunks:
            if len(self._chunks) == len(self._set.chunks):
                await self.write_event(TranscriptStart().event())
            await self.write_event(TranscriptChunk(self._chunks.pop(0)).event())

    async def _transcribe(self) -> None:
        await self.write_event(Transcript(self._set.text).event())
        if self._set.chunks:
            await self.write_event(TranscriptStop().event())

    async def _speak(self, breaks: bool) -> bool:
        width = self._set.width
        await self.write_event(AudioStart(self._set.rate, width, 1).event())
        for piece in self._set.speech:
            await self.write_event(AudioChunk(self._set.rate, width, 1, piece).event())
            if breaks:
                return False
        await self.write_event(AudioStop().event())
        return True
