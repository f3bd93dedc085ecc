"""The Wyoming parts against a server in this process: what they send, what they give, what they say when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np
import pytest
from pydantic import ValidationError

from tests.converse.fakes import FakeLlm, Log, pieces, turn
from tests.converse.sockets import nothing_open
from tests.converse.wyoming_server import Way, WyomingServer
from webapi.voice_node.converse.converse import Converse
from webapi.voice_node.converse.part_names import choose
from webapi.voice_node.converse.parts import Heard, PartError
from webapi.voice_node.converse.wyoming_parts import WyomingSpeechToText, WyomingTextToSpeech

PCM = b"\5\0" * 1600
Talk = Callable[[WyomingServer], Awaitable[None]]


def run(talk: Talk, server: WyomingServer | None = None) -> WyomingServer:
    """Do it beside a server. Afterwards no socket and no task may be left."""

    async def body() -> WyomingServer:
        async with (server or WyomingServer()).running() as running:
            await talk(running)
            while running.connections:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.01)
        await nothing_open()
        return running

    return asyncio.run(body())


def bot(server: WyomingServer, timeout_s: float = 10) -> Converse:
    part = {"part": "wyoming", "uri": server.uri, "timeout_s": timeout_s}
    llm = FakeLlm(Log())
    llm.pieces = ["Hi there. ", "Bye."]
    return Converse(stt=dict(part), llm=llm, tts=dict(part), prompt="")  # type: ignore[arg-type]


# ---------------------------------------------------------------- what they do


def test_an_utterance_is_streamed_at_16_khz_and_its_text_comes_back() -> None:
    async def talk(server: WyomingServer) -> None:
        part = WyomingSpeechToText(uri=server.uri, language="en", model="tiny")
        assert [each async for each in part.listen(pieces(PCM, PCM), 16_000)] == [Heard("hello bot", True)]
        assert [each async for each in part.listen(pieces(PCM), 8000)] == [Heard("hello bot", True)]

    server = run(talk)
    assert server.heard[0] == PCM * 2
    assert len(server.heard[1]) == pytest.approx(len(PCM) * 2, abs=128)  # the filter's 4 ms
    assert server.asked[0].data == {"name": "tiny", "language": "en"}


def test_interim_text_comes_while_the_caller_still_speaks() -> None:
    async def talk(server: WyomingServer) -> None:
        interim = asyncio.Event()

        async def audio() -> AsyncIterator[bytes]:
            yield PCM
            yield PCM
            await interim.wait()  # goes on only when the text of the beginning is there

        heard = []
        async for each in WyomingSpeechToText(uri=server.uri).listen(audio(), 16_000):
            heard.append(each)
            if each.text == "hello bot":
                interim.set()
        assert heard == [Heard("hello", False), Heard("hello bot", False), Heard("hello bot", True)]

    run(talk, WyomingServer(chunks=("hello", " bot")))


def test_a_sentence_is_spoken_by_the_voice_that_was_chosen() -> None:
    async def talk(server: WyomingServer) -> None:
        part = WyomingTextToSpeech(uri=server.uri, voice="amy", speaker="2")
        assert part.rate == 22_050
        assert b"".join([each async for each in part.speak("Hi.")]) == b"".join(server.speech)

    (asked,) = run(talk).asked
    assert asked.data == {"text": "Hi.", "voice": {"name": "amy", "speaker": "2"}}


def test_speech_at_another_rate_is_resampled_to_that_of_the_part() -> None:
    async def talk(server: WyomingServer) -> None:
        part = WyomingTextToSpeech(uri=server.uri, rate=24_000)
        pcm = b"".join([each async for each in part.speak("Hi.")])
        assert len(pcm) // 2 == pytest.approx(24_000, abs=24)
        assert np.frombuffer(pcm, "<i2")[6000:18_000] == pytest.approx(1000, abs=20)

    run(talk, WyomingServer(rate=16_000, speech=(np.full(16_000, 1000, "<i2").tobytes(),)))


def test_a_whole_turn_and_the_check_before_it() -> None:
    async def talk(server: WyomingServer) -> None:
        converse = bot(server)
        assert await turn(converse, "t1", PCM) == b"".join(server.speech) * 2
        await converse.aclose()

    run(talk)


def test_the_spaces_of_a_text_are_single() -> None:
    async def talk(server: WyomingServer) -> None:
        part = WyomingSpeechToText(uri=server.uri)
        assert [each async for each in part.listen(pieces(PCM), 16_000)] == [Heard("Good morning. We are open.", True)]

    run(talk, WyomingServer(text=" Good morning.  We are open."))


def test_a_cut_closes_the_connections_of_the_turn() -> None:
    async def talk(server: WyomingServer) -> None:
        converse = bot(server)
        converse.on_speech_started("t0", 0.0)
        while not server.heard:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        chunks = converse.get_audio_reply("t1", PCM)
        await anext(chunks)
        await chunks.aclose()
        await converse.aclose()

    run(talk)


# ---------------------------------------------------------------- how they fail

FAILURES: list[tuple[str, Way, str]] = [
    ("transcribe", "error", "speech-to-text .*the server failed: no good \\(test\\). Look into the server's log"),
    ("transcribe", "hang up", "speech-to-text .*closed the connection before the end"),
    ("audio-stop", "hang up", "speech-to-text .*closed the connection before the end"),
    ("audio-stop", "silent", "speech-to-text .*understood nothing for"),
    ("audio-stop", "noise", "speech-to-text .*closed the connection before the end"),
    ("synthesize", "error", "text-to-speech .*the server failed: no good"),
    ("synthesize", "hang up", "text-to-speech .*closed the connection before the end"),
    ("synthesize", "hang up in the middle", "text-to-speech .*closed the connection before the end"),
    ("synthesize", "silent", "text-to-speech .*gave nothing for"),
]


@pytest.mark.parametrize(("event", "way", "reason"), FAILURES)
def test_a_failure_costs_the_turn_names_the_part_and_the_next_turn_works(event: str, way: Way, reason: str) -> None:
    async def talk(server: WyomingServer) -> None:
        converse = bot(server, timeout_s=0.5 if way == "silent" else 10)
        server.fails[event] = way
        with pytest.raises(PartError, match=f"wyoming {reason}") as raised:
            await turn(converse, "t1", PCM)
        assert server.uri in str(raised.value)
        server.fails.clear()
        assert await turn(converse, "t2", PCM) == b"".join(server.speech) * 2
        await converse.aclose()

    run(talk)


def test_a_server_that_is_away_is_told_and_found_again() -> None:
    async def body() -> None:
        server = WyomingServer()
        async with server.running():
            pass
        converse = bot(server)
        with pytest.raises(PartError, match=r"can't be reached: .*\. Start the server, or correct uri"):
            await turn(converse, "t1", PCM)
        async with server.running():
            assert await turn(converse, "t2", PCM)
            await converse.aclose()
        await nothing_open()

    asyncio.run(body())


@pytest.mark.parametrize(("does", "part"), [("tts", WyomingSpeechToText), ("asr", WyomingTextToSpeech)])
def test_a_server_of_another_kind_is_told_when_the_call_begins(does: str, part: type) -> None:
    async def talk(server: WyomingServer) -> None:
        with pytest.raises(PartError, match=r"this server does no .*\. Correct uri of the part"):
            await part(uri=server.uri).open()

    run(talk, WyomingServer(does=(does,)))


def test_speech_in_a_format_that_is_not_understood_is_told() -> None:
    async def talk(server: WyomingServer) -> None:
        with pytest.raises(PartError, match="1 channels of 32 bit came, and not 1 of 16"):
            await anext(WyomingTextToSpeech(uri=server.uri).speak("Hi."))

    run(talk, WyomingServer(width=4))


@pytest.mark.parametrize("uri", ["localhost:10300", "tcp://localhost", "stdio://", "http://localhost:1"])
def test_an_address_that_is_none_is_found_with_the_graph(uri: str) -> None:
    with pytest.raises(ValidationError) as raised:
        choose("stt", {"part": "wyoming", "uri": uri})
    assert [each["loc"] for each in raised.value.errors()] == [("uri",)]
