"""The OpenAI parts against a real HTTP server: what they ask, what they give, and what they say when it fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.converse.fakes import turn
from tests.converse.openai_server import Fails, OpenAiServer, Place
from tests.converse.sockets import nothing_open
from webapi.voice_node.converse.converse import Converse
from webapi.voice_node.converse.openai_parts import OpenAiLanguageModel, OpenAiSpeechToText, OpenAiTextToSpeech
from webapi.voice_node.converse.parts import Heard, Message, PartError

ROOT = Path(__file__).parents[2]
PCM = b"\5\0" * 800
Talk = Callable[[OpenAiServer], Awaitable[None]]


def run(talk: Talk, server: OpenAiServer | None = None) -> OpenAiServer:
    """Do it beside a server. Afterwards no socket and no task may be left."""

    async def body() -> OpenAiServer:
        async with (server or OpenAiServer()).running() as running:
            await talk(running)
            await running.idle()
        await nothing_open()
        return running

    return asyncio.run(body())


def test_a_key_that_no_header_can_carry_is_told_and_not_quoted() -> None:
    with pytest.raises(
        PartError, match=r"^openai language model: the key has a character that no key has\. Give"
    ) as told:
        OpenAiLanguageModel(model="m", api_key="sk-…")
    assert "sk-" not in str(told.value)


async def one(pcm: bytes) -> AsyncIterator[bytes]:
    yield pcm[:100]
    yield pcm[100:]


def bot(server: OpenAiServer, timeout_s: float = 10) -> Converse:
    """As a graph would give it."""
    part = {"part": "openai", "base_url": server.url, "api_key": server.key or None, "timeout_s": timeout_s}
    stt, llm, tts = dict(part), {**part, "model": "m"}, dict(part)
    return Converse(stt=stt, llm=llm, tts=tts, prompt="Be brief.")  # type: ignore[arg-type]


# ---------------------------------------------------------------- what they do


def test_an_utterance_is_sent_as_wav_and_its_text_comes_back() -> None:
    async def talk(server: OpenAiServer) -> None:
        part = OpenAiSpeechToText(base_url=server.url, model="tiny", language="en")
        assert [each async for each in part.listen(one(PCM), 16_000)] == [Heard("hello bot", True)]
        await part.aclose()

    assert run(talk).asked == [("transcriptions", ("tiny", "en", 16_000, PCM))]


def test_a_model_is_asked_with_its_options_and_its_words_come_as_they_are_written() -> None:
    async def talk(server: OpenAiServer) -> None:
        part = OpenAiLanguageModel(base_url=server.url, model="m", temperature=0, options={"max_tokens": 9})
        assert [each async for each in part.chat([Message("user", "hi")])] == ["Hi ", "there. ", "Bye."]
        await part.aclose()

    ((_, asked),) = run(talk).asked
    assert asked["messages"] == [{"role": "user", "content": "hi"}]
    assert (asked["model"], asked["temperature"], asked["max_tokens"], asked["stream"]) == ("m", 0, 9, True)


def test_a_sentence_is_spoken_as_pcm() -> None:
    async def talk(server: OpenAiServer) -> None:
        part = OpenAiTextToSpeech(base_url=server.url, voice="nova", options={"instructions": "softly"})
        assert part.rate == 24_000
        assert b"".join([each async for each in part.speak("Hi.")]) == b"".join(server.speech)
        await part.aclose()

    ((_, asked),) = run(talk).asked
    assert (asked["input"], asked["voice"], asked["response_format"]) == ("Hi.", "nova", "pcm")
    assert asked["instructions"] == "softly"


def test_a_whole_turn() -> None:
    async def talk(server: OpenAiServer) -> None:
        converse = bot(server)
        assert await turn(converse, "t1", PCM) == b"".join(server.speech) * 2
        await converse.aclose()

    asked = run(talk).asked
    assert [place for place, _ in asked] == ["transcriptions", "chat", "speech", "speech"]
    assert [what["input"] for place, what in asked if place == "speech"] == ["Hi there.", "Bye."]


def test_a_cut_closes_the_connections_of_the_turn() -> None:
    async def talk(server: OpenAiServer) -> None:
        converse = bot(server)
        chunks = converse.get_audio_reply("t1", PCM)
        await anext(chunks)
        await chunks.aclose()
        await server.idle()
        await converse.aclose()

    run(talk, OpenAiServer(words=("One. ", "Two. ", "Three. ") * 20))


IMPORTS = """
import asyncio, sys
from tests.converse.openai_server import OpenAiServer
from tests.converse.test_openai_parts import PCM, bot, turn

async def main():
    async with OpenAiServer().running() as server:
        converse = bot(server)
        before = {*sys.modules}
        await turn(converse, "t1", PCM)
        await converse.aclose()
        print(sorted(name for name in {*sys.modules} - before if name.startswith(("openai", "anyio._backends"))))

asyncio.run(main())
"""


def test_a_turn_imports_nothing_more_for_that_would_stop_the_audio_of_all() -> None:
    ran = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]"


# ---------------------------------------------------------------- how they fail

SILENT = "did not answer in time|gave nothing for|understood nothing for"
LOST = "the answer broke off"
FAILURES: list[tuple[Place, Fails, str]] = [
    ("transcriptions", Fails(401), r"speech-to-text .*the key was refused \(401\)\. Give the right key"),
    ("transcriptions", Fails(404), r"speech-to-text .*no such model.*\. Correct model or base_url"),
    ("transcriptions", Fails(500), r"speech-to-text .*the server failed .*no good.*\. Look into the server's log"),
    ("transcriptions", Fails(silent=True), f"speech-to-text .*({SILENT})"),
    ("chat", Fails(401), "language model .*the key was refused"),
    ("chat", Fails(403), "language model .*the key was refused"),
    ("chat", Fails(404), "language model .*no such model"),
    ("chat", Fails(429), "language model .*too many requests.*raise the account's limits"),
    ("chat", Fails(400), "language model .*the request was refused.*no good: chat.*Correct the part's arguments"),
    ("chat", Fails(500), "language model .*the server failed"),
    ("chat", Fails(silent=True), f"language model .*({SILENT})"),
    ("chat", Fails(after=0), f"language model .*{LOST}"),
    ("chat", Fails(after=2), f"language model .*{LOST}"),
    ("speech", Fails(401), "text-to-speech .*the key was refused"),
    ("speech", Fails(404), "text-to-speech .*no such model"),
    ("speech", Fails(500), "text-to-speech .*the server failed"),
    ("speech", Fails(silent=True), f"text-to-speech .*({SILENT})"),
    ("speech", Fails(after=1), f"text-to-speech .*{LOST}"),
]


@pytest.mark.parametrize(("place", "fails", "reason"), FAILURES, ids=lambda each: str(each)[:40])
def test_a_failure_costs_the_turn_names_the_part_and_the_next_turn_works(
    place: Place, fails: Fails, reason: str
) -> None:
    async def talk(server: OpenAiServer) -> None:
        converse = bot(server, timeout_s=0.5 if fails.silent else 10)
        server.fails[place] = fails
        with pytest.raises(PartError, match=f"openai {reason}") as raised:
            await turn(converse, "t1", PCM)
        assert server.url in str(raised.value)
        server.fails.clear()
        server.released.set()
        assert await turn(converse, "t2", PCM) == b"".join(server.speech) * 2
        await converse.aclose()

    run(talk)


def test_a_model_whose_answer_has_no_end_broke_off() -> None:
    async def talk(server: OpenAiServer) -> None:
        converse = bot(server)
        with pytest.raises(PartError, match=LOST):
            await turn(converse, "t1", PCM)
        await converse.aclose()

    run(talk, OpenAiServer(ends_properly=False))


def test_a_server_that_is_away_is_told_and_found_again() -> None:
    async def body() -> None:
        server = OpenAiServer()
        async with server.running():
            pass
        converse = bot(server)
        with pytest.raises(PartError, match=r"can't be reached: .*\. Start the server, or correct base_url"):
            await turn(converse, "t1", PCM)
        async with server.running():
            assert await turn(converse, "t2", PCM)
            await converse.aclose()
        await nothing_open()

    asyncio.run(body())


def test_a_wrong_key_is_found_when_the_call_begins_and_never_quoted() -> None:
    async def talk(server: OpenAiServer) -> None:
        part = OpenAiLanguageModel(model="m", base_url=server.url, api_key="sk-wrong")
        with pytest.raises(PartError, match="the key was refused") as raised:
            await part.open()
        assert "sk-" not in str(raised.value)
        await part.aclose()

    run(talk, OpenAiServer(key="sk-right"))


@pytest.mark.parametrize("status", [404, 405, 500])
def test_a_server_that_cannot_list_its_models_may_work_all_the_same(status: int) -> None:
    async def talk(server: OpenAiServer) -> None:
        part = OpenAiSpeechToText(base_url=server.url)
        await part.open()
        await part.aclose()

    run(talk, OpenAiServer(fails={"models": Fails(status)}))


def test_without_a_key_openai_itself_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(PartError, match=r"there is no key\. Set OPENAI_API_KEY, or give the part a base_url"):
        OpenAiSpeechToText()


def test_the_key_of_openai_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")

    async def talk(server: OpenAiServer) -> None:
        part = OpenAiLanguageModel(model="m", base_url=server.url)
        with pytest.raises(PartError, match="the key was refused"):
            await part.open()
        await part.aclose()

    run(talk, OpenAiServer(key="sk-mine"))


def test_a_password_in_the_address_is_not_shown() -> None:
    part = OpenAiSpeechToText(base_url="http://me:secret@example.test/v1")
    assert part.label == "openai speech-to-text (whisper-1) at http://example.test/v1"
