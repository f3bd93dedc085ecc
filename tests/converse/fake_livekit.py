"""The interface of livekit-agents that plug-ins have, and one plug-in, for tests: the real one pins `livekit`.

As there, a stream works in a task that is made with it, and the HTTP session is in a context variable.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

SESSION: ContextVar[str] = ContextVar("session")
RATE = 16_000


class APIError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class APIConnectionError(APIError): ...


class APITimeoutError(APIConnectionError): ...


class APIStatusError(APIError):
    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass
class APIConnectOptions:
    max_retry: int = 3
    timeout: float = 10


class SpeechEventType(str, Enum):
    START_OF_SPEECH = "start_of_speech"
    INTERIM_TRANSCRIPT = "interim_transcript"
    FINAL_TRANSCRIPT = "final_transcript"


class ChatContext:
    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    @classmethod
    def empty(cls) -> ChatContext:
        return cls()

    def add_message(self, *, role: str, content: str) -> None:
        self.messages.append((role, content))


@dataclass
class World:
    """What the plug-in does, and what was done with it. `fails`: by stt, llm and tts."""

    streaming: bool = True
    fails: dict[str, Exception] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    sessions: list[str] = field(default_factory=list)  # that are open
    open_streams: int = 0
    heard: list[bytes] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    options: list[APIConnectOptions] = field(default_factory=list)

    def modules(self) -> dict[str, ModuleType]:
        """By name, for sys.modules."""
        agents, plugins = ModuleType("livekit.agents"), ModuleType("livekit.plugins.fake")
        stt, llm, tts = (type(each, (), {"__module__": "livekit.agents"}) for each in ("STT", "LLM", "TTS"))
        vars(agents).update(
            APIError=APIError,
            APIConnectionError=APIConnectionError,
            APITimeoutError=APITimeoutError,
            APIStatusError=APIStatusError,
            APIConnectOptions=APIConnectOptions,
            stt=SimpleNamespace(STT=stt, SpeechEventType=SpeechEventType),
            llm=SimpleNamespace(LLM=llm, ChatContext=ChatContext),
            tts=SimpleNamespace(TTS=tts),
            utils=SimpleNamespace(http_context=SimpleNamespace(open=self._session)),
        )
        methods = {"recognize": _recognize, "stream": lambda plugin, **how: _Listen(plugin, **how)}
        vars(plugins)["STT"] = type("STT", (_Plugin, stt), {"world": self, "kind": "stt", **methods})
        methods = {"chat": lambda plugin, **how: _Chat(plugin, **how)}
        vars(plugins)["LLM"] = type("LLM", (_Plugin, llm), {"world": self, "kind": "llm", **methods})
        methods = {
            "synthesize": lambda plugin, text, **how: _Speak(plugin, text, **how),
            "stream": lambda plugin, **how: _Speak(plugin, "", **how),
        }
        vars(plugins)["TTS"] = type("TTS", (_Plugin, tts), {"world": self, "kind": "tts", **methods})
        return {"livekit.agents": agents, "livekit.plugins": ModuleType("livekit.plugins"), plugins.__name__: plugins}

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[None]:
        self.sessions.append("open")
        token = SESSION.set("open")
        yield
        SESSION.reset(token)
        self.sessions.remove("open")


class _Plugin:
    world: World
    kind: str
    num_channels = 1
    sample_rate = RATE

    def __init__(self, *, model: str = "m", num_channels: int = 1) -> None:
        if model == "missing":
            raise ValueError("no such model")
        self.num_channels = num_channels
        self.capabilities = SimpleNamespace(streaming=self.world.streaming)

    async def work(self, conn_options: APIConnectOptions) -> None:
        """What every request begins with: the session of the context, and the failure that was set."""
        assert SESSION.get() == "open"
        self.world.options.append(conn_options)
        if self.kind in self.world.silent:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if error := self.world.fails.get(self.kind):
            raise error

    async def aclose(self) -> None:
        self.world.closed.append(self.kind)


class _Stream:
    """Works in a task that is made with it, and gives what that puts into a queue."""

    def __init__(self, plugin: Any, conn_options: APIConnectOptions) -> None:
        self._plugin = plugin
        self._world: World = plugin.world
        self._values: asyncio.Queue[Any] = asyncio.Queue()
        self._world.open_streams += 1
        self._task = asyncio.get_running_loop().create_task(self._main(conn_options))
        self._task.add_done_callback(lambda _: self._values.put_nowait(None))

    async def _main(self, conn_options: APIConnectOptions) -> None:
        await self._plugin.work(conn_options)
        await self._run()

    async def _run(self) -> None: ...

    def __aiter__(self) -> _Stream:
        return self

    async def __anext__(self) -> Any:
        value = await self._values.get()
        if value is not None:
            return value
        if error := self._task.exception():
            raise error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._world.open_streams -= 1
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class _Listen(_Stream):
    def __init__(self, plugin: Any, conn_options: APIConnectOptions) -> None:
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        super().__init__(plugin, conn_options)

    def push_frame(self, frame: Any) -> None:
        self._frames.put_nowait(bytes(frame.data))

    def end_input(self) -> None:
        self._frames.put_nowait(None)

    async def _run(self) -> None:
        pcm = b""
        self._values.put_nowait(SimpleNamespace(type=SpeechEventType.START_OF_SPEECH, alternatives=[]))
        while frame := await self._frames.get():
            if not pcm:
                self._values.put_nowait(_event(SpeechEventType.INTERIM_TRANSCRIPT, "hello"))
            pcm += frame
        self._world.heard.append(pcm)
        self._values.put_nowait(_event(SpeechEventType.FINAL_TRANSCRIPT, "hello"))
        self._values.put_nowait(_event(SpeechEventType.FINAL_TRANSCRIPT, "bot"))


async def _recognize(plugin: Any, frame: Any, *, conn_options: APIConnectOptions) -> Any:
    await plugin.work(conn_options)
    plugin.world.heard.append(bytes(frame.data))
    return _event(SpeechEventType.FINAL_TRANSCRIPT, "hello bot")


class _Chat(_Stream):
    def __init__(self, plugin: Any, chat_ctx: ChatContext, conn_options: APIConnectOptions) -> None:
        super().__init__(plugin, conn_options)
        self._world.asked.append(chat_ctx.messages)

    async def _run(self) -> None:
        for delta in (None, SimpleNamespace(content=None), *(SimpleNamespace(content=t) for t in ("Hi. ", "Bye."))):
            self._values.put_nowait(SimpleNamespace(delta=delta))


class _Speak(_Stream):
    def __init__(self, plugin: Any, text: str, conn_options: APIConnectOptions) -> None:
        self._text = text
        self._said = asyncio.Event()
        if text:
            self._said.set()
        super().__init__(plugin, conn_options)

    def push_text(self, text: str) -> None:
        self._text += text

    def end_input(self) -> None:
        self._said.set()

    async def _run(self) -> None:
        await self._said.wait()
        self._world.asked.append(self._text)
        for sample in (b"\1\0", b"\2\0"):
            self._values.put_nowait(SimpleNamespace(frame=SimpleNamespace(data=memoryview(sample * 160).cast("h"))))


def _event(kind: SpeechEventType, text: str) -> Any:
    return SimpleNamespace(type=kind, alternatives=[SimpleNamespace(text=text)])
