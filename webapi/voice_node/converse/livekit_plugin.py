"""One object of a livekit-plugins-* package, at work outside of LiveKit's own AgentSession."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from types import ModuleType
from typing import Any, TypeVar

from webapi.voice_node.converse.parts import PartError
from webapi.voice_node.converse.pulled_ahead import CLOSE_S
from webapi.voice_node.converse.remedies import ARGUMENTS, LOG, of_status, said
from webapi.voice_node.errors import describe
from webapi.voice_node.errors.advice import install

T = TypeVar("T")

PLUGIN = re.compile(r"livekit\.plugins\.(\w+)")
REACH = "Start the server, or correct the plug-in's arguments"


class LiveKitPlugin:
    """Makes the object of the class at `place` (`livekit.plugins.deepgram:STT`) with `arguments`, and closes it.

    `base` is the class of livekit-agents that it must be of, such as `stt.STT`. Many plug-ins take their HTTP session
    from a context variable. A task that lives as long as the part sets it, and all that a plug-in does is started in a
    copy of that task's context. Raises PartError where a package is missing or the object can't be made.
    """

    def __init__(self, label: str, place: str, base: str, arguments: Mapping[str, Any]) -> None:
        self.label = label
        self.agents: Any = _imported(label, "livekit.agents")
        self.rtc: Any = _imported(label, "livekit.rtc")
        kind, _, name = base.partition(".")
        made = _class_at(label, place, getattr(getattr(self.agents, kind), name))
        try:
            self.object: Any = made(**arguments)
        except Exception as error:
            raise PartError(label, f"it can't be made: {said(describe(error))}", ARGUMENTS) from error
        self._context = copy_context()
        self._holder: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def open(self) -> None:
        """Set up the HTTP session."""
        if self._holder is not None:
            return
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[Context] = loop.create_future()
        self._over = asyncio.Event()
        self._holder = loop.create_task(self._hold(ready))
        self._context = await ready

    async def _hold(self, ready: asyncio.Future[Context]) -> None:
        async with self.agents.utils.http_context.open():
            ready.set_result(copy_context())
            await self._over.wait()

    def begin(self, start: Callable[..., T], *args: Any, **arguments: Any) -> T:
        """What a method of the plug-in returns that starts tasks of its own."""
        return self._context.run(start, *args, **arguments)

    async def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a method of the plug-in that is a coroutine. To cancel this cancels it."""
        task = self._context.run(asyncio.get_running_loop().create_task, work)
        try:
            return await task
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=CLOSE_S)

    async def aclose(self) -> None:
        """Close the object, then the HTTP session."""
        try:
            await self.wait_for(_awaited(self.object.aclose()))
        finally:
            holder, self._holder = self._holder, None
            self._over.set()
            if holder is not None:
                await asyncio.wait({holder}, timeout=CLOSE_S)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """What the plug-in raises inside becomes a PartError."""
        agents = self.agents
        try:
            yield
        except PartError:
            raise
        except agents.APIError as error:
            status = getattr(error, "status_code", None) or getattr(error.__cause__, "status", None)
            if isinstance(status, int) and status > 0:
                raise PartError(self.label, *of_status(status, error.message)) from error
            if isinstance(error, agents.APITimeoutError):
                raise PartError(self.label, "the server did not answer in time", LOG) from error
            if isinstance(error, agents.APIConnectionError):
                raise PartError(self.label, f"the connection failed: {said(error)}", REACH) from error
            raise PartError(self.label, f"the server failed: {said(error)}", LOG) from error
        except Exception as error:
            raise PartError(self.label, f"the plug-in failed: {said(describe(error))}", ARGUMENTS) from error


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def _class_at(label: str, place: str, base: type) -> type:
    module_name, _, name = place.partition(":")
    made = getattr(_imported(label, module_name), name, None)
    if not (isinstance(made, type) and issubclass(made, base)):
        wanted = f"{base.__module__}.{base.__qualname__}"
        raise PartError(
            label, f"{place} is no {wanted}", "Correct class of the part, such as livekit.plugins.openai:STT"
        )
    return made


def _imported(label: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        plugin = PLUGIN.match(name)
        command = f"pip install livekit-plugins-{plugin[1].replace('_', '-')}" if plugin else install("livekit-plugins")
        needs = command if isinstance(error, ModuleNotFoundError) else ""  # a broken package needs more
        raise PartError(label, f"{name} can't be imported: {said(error)}", f"Run: {command}", needs) from error
