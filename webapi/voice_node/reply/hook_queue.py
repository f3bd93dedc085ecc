"""Runs the async hooks of a call one after another, each within a time limit."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from webapi.voice_node.events import BYTES_PER_SAMPLE, Turn
from webapi.voice_node.reactive.tasks import Tasks

Done: TypeAlias = Callable[[BaseException | None], None]

WAITING_S = 30  # of partial audio; what is older is dropped
WAITING = 1500  # hooks that wait: 30 s of one for each frame


@dataclass
class HookCall:
    """One call of a hook that is to be awaited."""

    hook: str
    turn: Turn
    start: Callable[[], Awaitable[Any]]
    done: Done | None = None  # gets its end, and then `failed` does not


@dataclass
class _PartialAudio(HookCall):
    pcm: bytearray = field(default_factory=bytearray)


class HookQueue:
    """Awaits hooks in the order in which they were added.

    `failed(hook, turn, error)` is called for each that raises, or is not done within `timeout_s`: it is cancelled then,
    and the next one starts. Partial audio that waits is joined into one call. Over WAITING_S of it, at `rate` Hz, the
    oldest is dropped, and `failed` is called with a BufferError once until all has been taken.
    """

    def __init__(
        self, tasks: Tasks, timeout_s: float, rate: int, failed: Callable[[str, Turn, BaseException], None]
    ) -> None:
        self._tasks = tasks
        self._timeout_s = timeout_s
        self._most_bytes = WAITING_S * rate * BYTES_PER_SAMPLE
        self._failed = failed
        self._waiting: deque[HookCall] = deque()
        self._partial_bytes = 0
        self._overflown = False
        self._runs = False

    def add(self, call: HookCall) -> None:
        """Await it when those before it are done."""
        self._waiting.append(call)
        if len(self._waiting) > WAITING:
            dropped = self._waiting.popleft()
            self._partial_bytes -= len(dropped.pcm) if isinstance(dropped, _PartialAudio) else 0
            self._overflow(dropped)
        if not self._runs:
            self._runs = True
            self._tasks.spawn(self._run())

    def add_partial(self, hook: str, turn: Turn, send: Callable[[bytes], Awaitable[Any]], pcm: bytes) -> None:
        """The same for a piece of an utterance: it joins the last call where that waits with audio of the same turn."""
        last = self._waiting[-1] if self._waiting else None
        self._partial_bytes += len(pcm)
        if isinstance(last, _PartialAudio) and last.turn == turn:
            last.pcm += pcm
        else:
            audio = bytearray(pcm)
            self.add(_PartialAudio(hook, turn, lambda: send(bytes(audio)), pcm=audio))
        while self._partial_bytes > self._most_bytes:
            self._drop_oldest_audio()

    def _drop_oldest_audio(self) -> None:
        oldest = next(each for each in self._waiting if isinstance(each, _PartialAudio))
        excess = min(len(oldest.pcm), self._partial_bytes - self._most_bytes)
        excess += excess % BYTES_PER_SAMPLE
        del oldest.pcm[:excess]
        self._partial_bytes -= excess
        if not oldest.pcm:
            self._waiting.remove(oldest)
        self._overflow(oldest)

    def _overflow(self, call: HookCall) -> None:
        if not self._overflown:
            self._overflown = True
            what = f"more than {WAITING_S} s of audio wait for it; the oldest is dropped"
            self._failed(call.hook, call.turn, BufferError(what))

    async def _run(self) -> None:
        try:
            while self._waiting:
                call = self._waiting.popleft()
                if isinstance(call, _PartialAudio):
                    self._partial_bytes -= len(call.pcm)
                task = self._tasks.spawn(self._await(call))
                done, _ = await asyncio.wait({task}, timeout=self._timeout_s)
                if not done:
                    self._tasks.cancel(task)
                    self._end(call, TimeoutError(f"not done after {self._timeout_s:g} s (REPLY_TIMEOUT_MS)"))
            self._overflown = False
        finally:  # cancelled: the call is over, and what waits comes too late
            self._runs = False
            self._waiting.clear()
            self._partial_bytes = 0

    async def _await(self, call: HookCall) -> None:
        error: BaseException | None = None
        try:
            result = call.start()
            if inspect.isawaitable(result):
                await result
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            if self._tasks.cancelled:
                return  # too late: that was told
            error = raised
        if not self._tasks.cancelled:
            self._end(call, error)

    def _end(self, call: HookCall, error: BaseException | None) -> None:
        if call.done is not None:
            call.done(error)
        elif error is not None:
            self._failed(call.hook, call.turn, error)
