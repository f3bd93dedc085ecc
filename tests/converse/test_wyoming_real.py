"""The Wyoming parts against wyoming-faster-whisper and wyoming-piper: what one says, the other understands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing

import numpy as np
import pytest
import soxr

from tests.converse.fakes import FakeLlm, Log
from tests.converse.sockets import nothing_open
from tests.converse.wyoming_programs import VOICE, Program, programs
from tests.word_errors import error_rate
from webapi.voice_node.converse.converse import Converse
from webapi.voice_node.converse.parts import PartError
from webapi.voice_node.converse.wyoming_parts import WyomingSpeechToText, WyomingTextToSpeech

ASKED = "I would like to book a table for four people on Friday."
REPLY = ("Good morning, this is the bakery. ", "We are open on Sunday, too. ", "What can I do for you?")
LONG = "We are open in the morning, and on Sunday we bake bread for all of our guests. " * 30
RATE_HZ = 8000  # of a telephone
MOST_WRONG = 0.2  # of all words; one run in this environment had none
Servers = tuple[Program, Program]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with programs(tmp_path_factory.mktemp("wyoming")) as started:
        yield started


def run(servers: Servers, talk: Callable[[Program, Program], Awaitable[None]]) -> None:
    """Do it when both answer. Afterwards no socket and no task may be left."""

    async def body() -> None:
        await asyncio.gather(*(each.answers() for each in servers))
        await talk(*servers)
        await nothing_open()

    asyncio.run(body())


def at(rate: int, pcm: bytes, rate_in: int) -> bytes:
    """The same audio at another rate."""
    return bytes(soxr.resample(np.frombuffer(pcm, "<i2"), rate_in, rate).astype("<i2").tobytes())


async def said(piper: Program, text: str) -> bytes:
    """A caller who says this, as a telephone carries it."""
    part = WyomingTextToSpeech(uri=piper.uri, voice=VOICE)
    return at(RATE_HZ, b"".join([each async for each in part.speak(text)]), part.rate)


async def pieces(pcm: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(pcm), 320):
        yield pcm[start : start + 320]


async def understood(whisper: Program, pcm: bytes) -> str:
    part = WyomingSpeechToText(uri=whisper.uri)
    return " ".join([each.text async for each in part.listen(pieces(pcm), RATE_HZ) if each.final])


class Bot:
    """A Converse at both servers, whose model says REPLY."""

    def __init__(self, whisper: Program, piper: Program) -> None:
        self.llm = FakeLlm(Log())
        self.llm.pieces = [*REPLY]
        parts = {"stt": {"part": "wyoming", "uri": whisper.uri}, "tts": {"part": "wyoming", "uri": piper.uri}}
        self.converse = Converse(llm=self.llm, prompt="", **parts)  # type: ignore[arg-type]

    def asks(self, trace_id: str, pcm: bytes) -> None:
        """The caller speaks."""
        self.converse.on_speech_started(trace_id, 0.0)
        for start in range(0, len(pcm), 320):
            self.converse.on_partial_audio(trace_id, pcm[start : start + 320])
        self.converse.on_speech_ended(trace_id, pcm, 0.0, 1.0)

    async def turn(self, trace_id: str, pcm: bytes) -> bytes:
        self.asks(trace_id, pcm)
        async with aclosing(self.converse.get_audio_reply(trace_id, pcm)) as chunks:
            return b"".join([each async for each in chunks])

    def heard(self) -> str:
        """What the model was told that the caller said, of the last turn."""
        return self.llm.asked[-1][-1][1]


def test_the_words_of_a_whole_turn_are_understood_on_both_sides(servers: Servers) -> None:
    async def talk(whisper: Program, piper: Program) -> None:
        bot = Bot(whisper, piper)
        reply = await bot.turn("t1", await said(piper, ASKED))
        back = await understood(whisper, at(RATE_HZ, reply, bot.converse.reply_rate))
        await bot.converse.aclose()
        print([bot.heard(), back])
        assert error_rate([ASKED, "".join(REPLY)], [bot.heard(), back]) <= MOST_WRONG, [bot.heard(), back]

    run(servers, talk)


def test_silence_has_no_words(servers: Servers) -> None:
    async def talk(whisper: Program, _: Program) -> None:
        assert await understood(whisper, bytes(2 * RATE_HZ)) == ""

    run(servers, talk)


def test_after_a_cut_reply_the_next_turn_works(servers: Servers) -> None:
    async def talk(whisper: Program, piper: Program) -> None:
        bot, pcm = Bot(whisper, piper), await said(piper, ASKED)
        bot.asks("t1", pcm)
        chunks = bot.converse.get_audio_reply("t1", pcm)
        assert await anext(chunks)
        await chunks.aclose()
        assert await bot.turn("t2", pcm)
        await bot.converse.aclose()

    run(servers, talk)


def test_a_voice_that_piper_does_not_have_is_doubted_and_then_told(servers: Servers) -> None:
    async def talk(_: Program, piper: Program) -> None:
        part = WyomingTextToSpeech(uri=piper.uri, voice="nobody")
        await part.open()
        assert "does not list nobody" in part.doubt
        with pytest.raises(PartError, match=r"the server failed: nobody \(VoiceNotFoundError\)"):
            await anext(part.speak("Hi."))

    run(servers, talk)


def test_piper_dies_in_the_middle_of_a_reply_and_comes_back(servers: Servers) -> None:
    async def talk(whisper: Program, piper: Program) -> None:
        bot, pcm = Bot(whisper, piper), await said(piper, ASKED)
        bot.llm.pieces = [*REPLY * 3]  # of which two sentences at most are made when the first one is heard
        bot.asks("t1", pcm)
        async with aclosing(bot.converse.get_audio_reply("t1", pcm)) as chunks:
            assert await anext(chunks)
            piper.kill()
            with pytest.raises(PartError, match="wyoming text-to-speech at tcp"):
                await _all(chunks)
        with pytest.raises(PartError, match=r"wyoming text-to-speech .* can't be reached"):
            await bot.turn("t2", pcm)
        await piper.start_again()
        bot.llm.pieces = [*REPLY]
        assert await bot.turn("t3", pcm)
        await bot.converse.aclose()

    run(servers, talk)


def test_piper_dies_in_the_middle_of_a_sentence(servers: Servers) -> None:
    async def talk(_: Program, piper: Program) -> None:
        async with aclosing(WyomingTextToSpeech(uri=piper.uri).speak(LONG)) as chunks:
            assert await anext(chunks)
            piper.kill()
            with pytest.raises(PartError, match="closed the connection before the end"):
                await _all(chunks)
        await piper.start_again()

    run(servers, talk)


def test_whisper_dies_while_the_caller_speaks_and_comes_back(servers: Servers) -> None:
    async def talk(whisper: Program, piper: Program) -> None:
        pcm = await said(piper, ASKED)
        died = asyncio.Event()

        async def audio() -> AsyncIterator[bytes]:
            yield pcm
            whisper.kill()
            died.set()
            await asyncio.Event().wait()

        with pytest.raises(PartError, match=r"wyoming speech-to-text .*closed the connection before the end"):
            await anext(WyomingSpeechToText(uri=whisper.uri).listen(audio(), RATE_HZ))
        assert died.is_set()
        await whisper.start_again()
        assert error_rate([ASKED], [await understood(whisper, pcm)]) <= MOST_WRONG

    run(servers, talk)


async def _all(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([each async for each in chunks])
