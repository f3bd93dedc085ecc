"""The LiveKit parts with a plug-in that has the interface of the real ones: streams, context, cuts, errors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.converse.fake_livekit import (
    RATE,
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    World,
)
from tests.converse.fakes import pieces, turn
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.converse.converse import Converse
from webapi.voice_node.converse.livekit_parts import LiveKitSpeechToText, LiveKitTextToSpeech
from webapi.voice_node.converse.parts import Heard, PartError

PCM = b"\5\0" * 1600
SPEECH = b"\1\0" * 160 + b"\2\0" * 160


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    for name, module in made.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    return made


def run(work: Coroutine[Any, Any, None], world: World) -> None:
    """In virtual time. Afterwards nothing may be open."""

    async def body() -> None:
        await work
        assert len(asyncio.all_tasks()) == 1

    run_virtual(body())
    assert (world.open_streams, world.sessions) == (0, [])


def bot() -> Converse:
    parts = {
        role: {"part": "livekit", "class": f"livekit.plugins.fake:{role.upper()}"} for role in ("stt", "llm", "tts")
    }
    return Converse(prompt="Be brief.", **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("streaming", [True, False])
def test_a_whole_turn_whether_the_plug_ins_stream_or_not(world: World, streaming: bool) -> None:
    world.streaming = streaming

    async def talk() -> None:
        converse = bot()
        assert converse.reply_rate == RATE
        assert await turn(converse, "t1", PCM) == SPEECH * 2
        await converse.aclose()

    run(talk(), world)
    assert world.heard == [PCM]
    assert world.asked == [[("system", "Be brief."), ("user", "hello bot")], "Hi.", "Bye."]
    assert set(world.closed) == {"stt", "llm", "tts"}
    assert world.options == [APIConnectOptions(max_retry=0, timeout=10)] * 4


def test_interim_text_comes_and_the_finals_add_up(world: World) -> None:
    async def talk() -> None:
        part = LiveKitSpeechToText(class_="livekit.plugins.fake:STT")
        await part.open()
        heard = [each async for each in part.listen(pieces(PCM, PCM), 8000)]
        assert heard == [Heard("hello", False), Heard("hello", True), Heard("bot", True)]
        await part.aclose()

    run(talk(), world)
    assert world.heard == [PCM * 2]


def test_a_cut_closes_the_streams(world: World) -> None:
    async def talk() -> None:
        converse = bot()
        converse.on_speech_started("t0", 0.0)
        await asyncio.sleep(1)
        assert world.open_streams == 1
        chunks = converse.get_audio_reply("t1", PCM)
        await anext(chunks)
        await chunks.aclose()
        await converse.aclose()

    run(talk(), world)


FAILURES = [
    (APIStatusError("bad sk-1", 401), r"the key was refused \(401\)"),
    (APIStatusError("none", 404), r"no such model .*\(none\)"),
    (APIStatusError("slow down", 429), r"too many requests"),
    (APIStatusError("oh", 500), r"the server failed \(oh\)"),
    (APITimeoutError("late"), "did not answer in time"),
    (APIConnectionError("gone"), "the connection failed: gone. Start the server"),
    (APIError("odd"), "the server failed: odd"),
    (ValueError("strange"), "the plug-in failed: ValueError: strange"),
]


@pytest.mark.parametrize(("error", "reason"), FAILURES, ids=lambda each: str(each)[:30])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("kind", "name"), [("stt", "speech-to-text"), ("llm", "language model"), ("tts", "text-to-sp")]
)
def test_a_failure_costs_the_turn_names_the_part_and_the_next_turn_works(
    world: World, kind: str, name: str, streaming: bool, error: Exception, reason: str
) -> None:
    world.streaming = streaming

    async def talk() -> None:
        converse = bot()
        world.fails[kind] = error
        with pytest.raises(
            PartError, match=f"livekit {name}.* livekit.plugins.fake:{kind.upper()}: .*{reason}"
        ) as raised:
            await turn(converse, "t1", PCM)
        assert "sk-" not in str(raised.value)
        world.fails.clear()
        assert await turn(converse, "t2", PCM) == SPEECH * 2
        await converse.aclose()

    run(talk(), world)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("kind", ["stt", "llm", "tts"])
def test_a_plug_in_that_gives_nothing_costs_the_turn(world: World, kind: str, streaming: bool) -> None:
    world.streaming = streaming

    async def talk() -> None:
        converse = bot()
        world.silent.add(kind)
        with pytest.raises(PartError, match=f"fake:{kind.upper()}: .* for 10 s"):
            await turn(converse, "t1", PCM)
        world.silent.clear()
        assert await turn(converse, "t2", PCM) == SPEECH * 2
        await converse.aclose()

    run(talk(), world)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"class_": "livekit.plugins.fake:LLM"}, r"is no livekit.agents.STT\. Correct class"),
        ({"class_": "livekit.plugins.fake:Nothing"}, r"is no livekit.agents.STT\. Correct class"),
        (
            {"class_": "livekit.plugins.other_one:STT"},
            r"can't be imported.* pip install livekit-plugins-other-one",
        ),
        ({"class_": "livekit.plugins.fake:STT", "modle": 1}, r"can't be made: TypeError: .*modle.* Correct the part's"),
        ({"class_": "livekit.plugins.fake:STT", "model": "missing"}, r"can't be made: ValueError: no such model"),
    ],
)
@pytest.mark.usefixtures("world")
def test_what_cannot_be_made_is_told(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(PartError, match=reason):
        LiveKitSpeechToText(**arguments)


@pytest.mark.usefixtures("world")
def test_stereo_speech_is_refused() -> None:
    with pytest.raises(PartError, match="its speech is stereo"):
        LiveKitTextToSpeech(class_="livekit.plugins.fake:TTS", num_channels=2)


def test_without_livekit_agents_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit.agents", None)
    with pytest.raises(PartError, match=r"can't be imported.* Run: pip install 'livekit-agents"):
        LiveKitSpeechToText(class_="livekit.plugins.deepgram:STT")
