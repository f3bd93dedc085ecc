"""A server with OpenAI's HTTP interface, for tests. What it says and how it fails is set."""

from __future__ import annotations

import asyncio
import io
import json
import time
import wave
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

SPEECH_RATE = 24_000
Place = Literal["models", "transcriptions", "chat", "speech"]


@dataclass
class Fails:
    """How an address fails: at once with a status, after some pieces, or by not answering."""

    status: int = 0
    after: int | None = None  # pieces of a stream, after which the connection is lost
    silent: bool = False


@dataclass
class OpenAiServer:
    """`port` is set while it runs. `asked` has the requests, as (place, what was asked)."""

    text: str = "hello bot"
    words: tuple[str, ...] = ("Hi ", "there. ", "Bye.")
    speech: tuple[bytes, ...] = (b"\1\0" * 2400, b"\2\0" * 2400)
    key: str = ""
    models: list[str] = field(default_factory=list)  # that it lists
    fails: dict[Place, Fails] = field(default_factory=dict)
    asked: list[tuple[Place, Any]] = field(default_factory=list)
    requests: int = 0  # that are being answered
    ends_properly: bool = True  # a chat says why it ended
    delays_s: dict[Place, float] = field(default_factory=dict)  # before the first piece of an answer
    took: list[tuple[Place, float, float]] = field(default_factory=list)  # from when to when, monotonic seconds
    port: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)  # ends what is silent

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[OpenAiServer]:
        app = web.Application(middlewares=[self._counted])
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/audio/transcriptions", self._transcriptions)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/audio/speech", self._speech)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            self.released.set()
            await runner.cleanup()

    async def idle(self) -> None:
        """Wait until no request is being answered."""
        while self.requests:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)

    @web.middleware
    async def _counted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests += 1
        try:
            if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
                return _error(401, "Incorrect API key provided: sk-wrong")
            answer: web.StreamResponse = await handler(request)
            return answer
        finally:
            self.requests -= 1

    async def _models(self, request: web.Request) -> web.StreamResponse:
        return await self._failure("models") or web.json_response(
            {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
        )

    async def _transcriptions(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        file: Any = form["file"]
        with wave.open(io.BytesIO(file.file.read())) as wav:
            pcm, rate = wav.readframes(wav.getnframes()), wav.getframerate()
        self.asked.append(("transcriptions", (form["model"], form.get("language"), rate, pcm)))
        return await self._failure("transcriptions") or web.json_response({"text": self.text})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(("chat", await request.json()))
        if failed := await self._failure("chat"):
            return failed
        chunks = [_chunk({"content": word}) for word in self.words]
        end = [_chunk({}, "stop")] if self.ends_properly else []
        events = [f"data: {json.dumps(each)}\n\n".encode() for each in (*chunks, *end)]
        return await self._stream(request, "chat", [*events, b"data: [DONE]\n\n"], "text/event-stream")

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(("speech", await request.json()))
        return await self._failure("speech") or await self._stream(request, "speech", self.speech, "audio/pcm")

    async def _failure(self, place: Place) -> web.StreamResponse | None:
        fails = self.fails.get(place, Fails())
        if fails.silent:
            await self.released.wait()
        if place in self.delays_s:
            began_s = time.monotonic()
            await asyncio.sleep(self.delays_s[place])
            self.took.append((place, began_s, time.monotonic()))
        return _error(fails.status, f"no good: {place}") if fails.status else None

    async def _stream(
        self, request: web.Request, place: Place, pieces: Iterable[bytes], kind: str
    ) -> web.StreamResponse:
        """Send them, each on its own. The connection is lost where that was set."""
        answer = web.StreamResponse(headers={"Content-Type": kind})
        await answer.prepare(request)
        after = self.fails.get(place, Fails()).after
        for number, piece in enumerate(pieces):
            if number == after:
                assert request.transport
                request.transport.close()
                break
            await answer.write(piece)
        return answer


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "test", "code": None}}, status=status)


def _chunk(delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
