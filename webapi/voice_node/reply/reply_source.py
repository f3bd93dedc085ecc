"""Where the audio of one reply comes from, and what its stream asks and waits for."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from webapi.voice_node.events import SpeechEnded, seconds
from webapi.voice_node.orchestrator import Orchestrator


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


async def answer_of(orchestrator: Orchestrator, ended: SpeechEnded) -> AsyncIterator[bytes]:
    """Ask the orchestrator for its reply to an utterance: `on_speech_ended`, then `get_audio_reply`."""
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
    """Ask the orchestrator whether the caller may interrupt its reply; yes where it has no `is_interruptible`."""
    ask = getattr(orchestrator, "is_interruptible", None)
    answer = ask(trace_id) if ask else True
    return bool(await answer if inspect.isawaitable(answer) else answer)
