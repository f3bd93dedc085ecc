"""Turn events in, replies out: when each is asked for, and when its iterator is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from reactivex import Subject

from tests.operators.build import info
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.context import Context
from webapi.voice_node.events import (
    BargeIn,
    HaltReply,
    Reply,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    ResumeReply,
    SpeechEnded,
    SpeechStarted,
    Superseded,
    TtsFirstChunk,
    Turn,
    Unheard,
)
from webapi.voice_node.operators.kinds import REPLIES, Kind
from webapi.voice_node.operators.reply import reply
from webapi.voice_node.orchestrator_mock import MockOrchestrator

FIRST, SECOND = Turn("a", 0), Turn("b", 1)
LETTERS = {ReplyStarted: "R", TtsFirstChunk: "f", ReplyAudio: "a", ReplyEnded: "Z", ReplyCut: "C"}
LETTERS |= {HaltReply: "H", ResumeReply: "r"}


class Slow(MockOrchestrator):
    """Gives 20 ms of audio 100 ms after it is asked, and again 100 ms later."""

    open: ClassVar[dict[str, tuple[int, int]]] = {}  # by turn: from when to when its iterator was open, in ms

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            for _ in range(2):
                await asyncio.sleep(0.1)
                yield bytes(320)
        finally:
            Slow.open[trace_id] = (round(began * 1000), round(loop.time() * 1000))


def ended(turn: Turn, reason: str = "silence") -> SpeechEnded:
    """An utterance of that turn."""
    return SpeechEnded(0, turn, bytes(320), 8000, 0, 0, 0, 0, 20, reason)


def run(*script: tuple[int, Any]) -> list[tuple[int, str]]:
    """Feed (ms, event) pairs, then complete; what came out as (ms, letters)."""

    async def main() -> list[tuple[int, str]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        context = Context("s", "demo", load_settings(), loop, loop.clock_us)
        turns, playback, out = Subject[Any](), Subject[Any](), dict[int, str]()

        def on_next(value: Reply) -> None:
            out[loop.now_us // 1000] = out.get(loop.now_us // 1000, "") + LETTERS[type(value)]

        built = info(Kind(REPLIES.name, 8000), context=context)
        stage = reply(orchestrator="tests.operators.test_reply:Slow", playback=playback, info=built)
        stage(turns).subscribe(on_next)
        for ms, event in script:
            await asyncio.sleep(ms / 1000 - loop.time())
            turns.on_next(event)
        await asyncio.sleep(1)
        turns.on_completed()
        await asyncio.sleep(0)
        assert not context.replies
        return list(out.items())

    Slow.open.clear()
    return run_virtual(main())


def test_an_utterance_is_answered_and_the_reply_may_be_heard_until_the_session_closes() -> None:
    assert run((50, ended(FIRST))) == [(50, "R"), (150, "fa"), (250, "aZ"), (1050, "C")]
    assert Slow.open == {"a": (50, 250)}


def test_a_barge_in_closes_the_iterator_at_once() -> None:
    for event in (BargeIn(0, FIRST, SECOND, 0), Superseded(0, FIRST, SECOND), Unheard(0, FIRST)):
        assert run((0, ended(FIRST)), (120, event)) == [(0, "R"), (100, "fa"), (120, "C")]
        assert Slow.open == {"a": (0, 120)}


def test_the_next_utterance_takes_the_place_of_a_reply() -> None:
    out = run((0, ended(FIRST)), (120, ended(SECOND)))
    assert out == [(0, "R"), (100, "fa"), (120, "CR"), (220, "fa"), (320, "aZ"), (1120, "C")]
    assert Slow.open == {"a": (0, 120), "b": (120, 320)}


def test_a_halt_passes_through_and_the_iterator_stays_open() -> None:
    out = run((0, ended(FIRST)), (120, HaltReply(0, FIRST)), (130, ResumeReply(0, FIRST)))
    assert out == [(0, "R"), (100, "fa"), (120, "H"), (130, "r"), (200, "aZ"), (1130, "C")]
    assert Slow.open == {"a": (0, 200)}


def test_neither_a_start_nor_a_cough_changes_a_reply() -> None:
    out = run((0, ended(FIRST)), (110, SpeechStarted(0, SECOND, 0)), (120, ended(SECOND, "cough")))
    assert out == [(0, "R"), (100, "fa"), (200, "aZ"), (1120, "C")]
