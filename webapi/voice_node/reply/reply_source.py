"""Where the audio of one reply comes from, and what its stream asks and waits for."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from webapi.voice_node.events import SpeechEnded
from webapi.voice_node.reply.hooks import Hooks


async def _yes() -> bool:
    return True


async def _at_once() -> None:
    pass


@dataclass(frozen=True, slots=True)
class ReplySource:
    """The three functions that a reply's stream calls. What they raise ends the reply as `failed`."""

    get: Callable[[], Awaitable[AsyncIterator[bytes]]]  # the iterator of its chunks
    interruptible: Callable[[], Awaitable[bool]] = _yes  # asked once, when the first audio is there
    may_speak: Callable[[], Awaitable[None]] = _at_once  # waited for before the reply's own audio, or its end, is sent


async def answer_of(orchestrator: Any, hooks: Hooks, ended: SpeechEnded) -> AsyncIterator[bytes]:
    """Ask the orchestrator for its reply to an utterance: `on_speech_ended`, then `get_audio_reply`."""
    await hooks.started()
    await hooks.speech_ended(ended)
    return await iterator_of(orchestrator.get_audio_reply(ended.turn.trace_id, ended.pcm), "get_audio_reply")


async def iterator_of(given: Any, method: str) -> AsyncIterator[bytes]:
    """The async iterator that a method of the orchestrator gave, or gives when awaited. Raises TypeError."""
    if inspect.isawaitable(given):  # an `async def` that returns an iterator, instead of being one
        given = await given
    if not hasattr(given, "__aiter__"):
        raise TypeError(f"{method} gave {type(given).__name__}, not an async iterator: write `async def` with `yield`")
    return aiter(given)


async def interruptible(orchestrator: Any, trace_id: str) -> bool:
    """Ask the orchestrator whether the caller may interrupt its reply; yes where it has no `is_interruptible`."""
    ask = getattr(orchestrator, "is_interruptible", None)
    answer = ask(trace_id) if callable(ask) else True
    return bool(await answer if inspect.isawaitable(answer) else answer)
