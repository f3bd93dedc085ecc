"""The bots of the documents by task do in a session what the documents say."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiohttp import WSMsgType, web

from tests.converse.openai_server import OpenAiServer
from tests.documents import ROOT, blocks, write_files
from tests.stage import Played, play

TURN = [("quiet", 0.5), ("speech", 1.0), ("quiet", 4.0)]
PAUSE = [("quiet", 0.5), ("speech", 1.0), ("quiet", 0.3), ("speech", 1.0), ("quiet", 4.0)]
PAUSES = [("quiet", 0.5), *[("speech", 0.7), ("quiet", 0.3)] * 4, ("quiet", 4.0)]
OVER = [("quiet", 0.5), ("speech", 1.5), ("quiet", 1.2), ("speech", 1.0), ("quiet", 4.0)]
TURNS = [("quiet", 0.5), *[("speech", 1.0), ("quiet", 3.0)] * 3]


def bot_of(document: str, module: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that the document's reader writes."""
    write_files(document, folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module, raising=False)
    return importlib.import_module(module)


# ---------------------------------------------------------------- the first bot


def test_the_first_bot_knows_what_was_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = bot_of("first-bot", "mybot", tmp_path, monkeypatch)
    (method,) = [block.text for block in blocks("first-bot") if block.text.startswith("    def ")]
    whole = (tmp_path / "mybot.py").read_text(encoding="utf-8") + "\n" + method
    exec(compile(whole, "mybot.py", "exec"), vars(module))  # noqa: S102 - the document's own code
    assert len(whole.splitlines()) < 35
    played = play(OVER, orchestrator="mybot:Bot")
    assert played.failures == []
    heard = [event.message["heard"] for event in played.of("message_sent")]
    assert heard[0] is None  # of the greeting: no words of it were told
    assert heard[1].startswith("Beep 1.")
    assert "barge_in" in played.names


# ---------------------------------------------------------------- streaming speech-to-text


class Server:
    """Stands for aiohttp.ClientSession: each socket keeps what was sent. Every step takes its time."""

    sockets: ClassVar[list[Server.Socket]] = []
    seconds: ClassVar[dict[str, float]] = {}

    class Socket:
        def __init__(self) -> None:
            self.pcm, self.ended, self.closed = b"", False, False

        async def send_bytes(self, pcm: bytes) -> None:
            await asyncio.sleep(Server.seconds["send"])
            assert not self.closed
            self.pcm += pcm

        async def send_str(self, text: str) -> None:
            assert text == "end"
            self.ended = True

        async def receive_json(self) -> dict[str, str]:
            await asyncio.sleep(Server.seconds["text"])
            return {"text": f"{len(self.pcm)} bytes"}

        async def close(self) -> None:
            self.closed = True

    async def ws_connect(self, url: str) -> Server.Socket:
        await asyncio.sleep(Server.seconds["open"])
        Server.sockets.append(Server.Socket())
        return Server.sockets[-1]

    async def close(self) -> None: ...


PACES = {
    "at once": {"open": 0, "send": 0, "text": 0},
    "slow to open": {"open": 0.9, "send": 0, "text": 0.1},
    "slower than speech": {"open": 0.1, "send": 0.07, "text": 0.2},
}


@pytest.mark.parametrize("pace", PACES.values(), ids=PACES.keys())
@pytest.mark.parametrize("script", [TURN, PAUSE, PAUSES, OVER, TURNS], ids=["turn", "pause", "pauses", "over", "turns"])
def test_the_recogniser_gets_every_sample_of_every_utterance_in_order(
    script: list[tuple[str, float]], pace: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = bot_of("streaming-stt", "streaming", tmp_path, monkeypatch)
    monkeypatch.setattr(module.aiohttp, "ClientSession", Server)
    monkeypatch.setattr(Server, "seconds", pace)
    Server.sockets = []
    played = play(script, orchestrator="streaming:Bot")
    assert not [event for event in played.events if event.name == "hook_failed"]
    ended = played.of("speech_ended")
    assert [socket.pcm for socket in Server.sockets] == [event.pcm for event in ended]
    assert all(socket.ended and socket.closed for socket in Server.sockets)
    if script in (PAUSE, PAUSES) and pace["send"]:
        assert "superseded" in played.names  # the text came after the pause,
        assert ended[-1].pcm.startswith(ended[0].pcm)  # so the last utterance is the whole
        assert [event.text for event in played.of("transcript")] == [f"{len(ended[-1].pcm)} bytes"]


def test_the_socket_of_a_cough_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = bot_of("streaming-stt", "streaming", tmp_path, monkeypatch)
    monkeypatch.setattr(module.aiohttp, "ClientSession", Server)
    monkeypatch.setattr(Server, "seconds", PACES["at once"])
    Server.sockets = []
    cough = [("quiet", 0.3), ("speech", 2.0), ("quiet", 0.6), ("speech", 0.2), ("quiet", 4.0)]
    played = play(cough, orchestrator="streaming:Bot", graph="cough")
    assert "playback_resumed" in played.names
    assert [socket.ended for socket in Server.sockets] == [True, False]
    assert all(socket.closed for socket in Server.sockets)


def test_the_recogniser_talks_to_a_real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = bot_of("streaming-stt", "streaming", tmp_path, monkeypatch)
    told: list[Any] = []

    class Call:
        def transcript(self, *told_now: Any) -> None:
            told.append(told_now)

        def mark(self, *_: Any) -> None: ...

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        pcm = b""
        async for message in socket:
            if message.type == WSMsgType.BINARY:
                pcm += message.data
            else:
                await socket.send_str(json.dumps({"text": pcm.decode()}))
        return socket

    async def talk() -> None:
        app = web.Application()
        app.router.add_get("/", listen)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bot = module.Bot(url=f"http://127.0.0.1:{runner.addresses[0][1]}/")
        await bot.on_call_started(Call())
        await bot.on_speech_started("t", 0.0)
        for piece in (b"good ", b"morning"):
            await bot.on_partial_audio("t", piece)
        await bot.on_speech_ended("t", b"good morning", 0.0, 0.0)
        assert [chunk async for chunk in bot.get_audio_reply("t", b"\0\0")] == [b"\0\0"]
        await bot.on_call_ended("done")
        await runner.cleanup()

    asyncio.run(talk())
    assert told == [("t", "good morning")]


# ---------------------------------------------------------------- slow tools


def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: list[tuple[str, float]], **settings: Any) -> Played:
    bot_of("slow-tools", "tools", tmp_path, monkeypatch)
    played = play(script, **{"orchestrator": "tools:Bot", **settings})
    assert not played.failures
    assert played.tasks_left == 0
    return played


def test_a_reply_says_something_while_its_tool_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = tools(tmp_path, monkeypatch, [("quiet", 0.5), ("speech", 1.0), ("quiet", 5.0)])
    (line,) = played.lines
    assert line["outcome"] == "completed"
    assert [event.text for event in played.of("heard_text")] == ["One moment. Two euros."]
    (asked,), (mark,) = played.of("reply_started"), played.of("mark")
    assert mark.mark == "price"
    assert (mark.t_us - asked.t_us) / 1e6 == pytest.approx(1.5, abs=0.001)  # virtual: the words took none of it


@pytest.mark.parametrize("after_s", [0.5, 1.5], ids=["over the words", "in the silence"])
def test_a_caller_who_interrupts_cancels_the_tool(
    after_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = [("quiet", 0.5), ("speech", 1.0), ("quiet", after_s), ("speech", 1.0), ("quiet", 5.0)]
    played = tools(tmp_path, monkeypatch, script)
    assert [line["outcome"] for line in played.lines] == ["barged_in", "completed"]
    assert len(played.of("mark")) == 1  # of the second turn


def test_an_order_goes_on_and_is_told_when_the_caller_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = [("quiet", 0.5), ("speech", 2.5), ("quiet", 1.0), ("speech", 1.0), ("quiet", 9.0)]
    played = tools(tmp_path, monkeypatch, long)
    (asked,) = played.of("prompted")
    (order,) = [event for event in played.of("playback_ended") if event.turn == asked.turn]
    assert order.completed
    assert played.names.index("barge_in") < played.names.index("prompted")
    cut_short = [("quiet", 0.5), ("speech", 2.5), ("quiet", 2.0)]
    assert "prompted" not in tools(tmp_path, monkeypatch, cut_short).names  # the call was over before


def test_the_fillers_graph_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sample,) = [block.text for block in blocks("slow-tools") if block.language == "yaml"]
    graph = (ROOT / "graphs" / "default.yaml").read_text(encoding="utf-8")
    line = '      - reply: {orchestrator: "${ORCHESTRATOR}"}\n'
    text = graph.replace(line, f"      {sample}").replace("prompts/hm.wav", str(ROOT / "graphs/prompts/hm.wav"))
    assert text != graph
    played = tools(tmp_path, monkeypatch, [("quiet", 0.5), ("speech", 1.0), ("quiet", 5.0)], graph_text=text)
    assert [line["outcome"] for line in played.lines] == ["completed"]


# ---------------------------------------------------------------- the bot of the document on Pipecat


def test_the_bakery_recognises_thinks_and_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        async with OpenAiServer().running() as server:
            monkeypatch.setenv("OPENAI_API_KEY", "k")
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            bot = bot_of("from-pipecat", "bakery", tmp_path, monkeypatch).Bot(prompt="Be brief.")
            told: list[Any] = []
            bot.on_call_started(SimpleNamespace(rate=8000, transcript=lambda *what, **how: told.append((*what, how))))
            spoken = b"".join([pcm async for pcm in bot.get_audio_reply("t", bytes(1600))])
            assert spoken == b"".join(server.speech)
            assert [text for _, text, _ in told] == [server.text, "Hi there. Bye."]
            bot.on_playback_ended("t", 100, False, "Hi there.")
            bot.on_playback_ended("greeting", 100, True, None)
            assert [each["content"] for each in bot.history] == ["Be brief.", server.text, "Hi there."]
            asked = [what for place, what in server.asked if place == "chat"]
            assert [each["content"] for each in asked[0]["messages"]] == ["Be brief.", server.text]
            await bot.client.close()

    asyncio.run(talk())


# ---------------------------------------------------------------- the telephone


@pytest.mark.parametrize(("keys", "hangs_up"), [("4711#", False), ("4712#", True)])
def test_the_menu_takes_a_pin(keys: str, hangs_up: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bot_of("phone", "menu", tmp_path, monkeypatch)
    typed = [each for key in keys for each in ((f"key {key}", 0.0), ("quiet", 0.2))]
    played = play([("quiet", 1.0), *typed, ("quiet", 6.0)], orchestrator="menu:Menu")
    assert not played.failures
    assert not played.of("hook_failed")
    greeting, answer = played.of("playback_ended")[:2]
    assert greeting.completed  # it was ended, and not cut
    assert 1000 <= greeting.heard_ms <= 1440  # the first key came after a second
    assert answer.heard_ms > 1500
    assert [event.reason for event in played.of("hung_up")] == ["wrong PIN"] * hangs_up


def test_the_menu_stops_its_reply_at_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bot_of("phone", "menu", tmp_path, monkeypatch)
    script = [("quiet", 5.0), ("speech", 1.0), ("quiet", 1.5), ("key 4", 0), ("quiet", 3.0)]
    played = play(script, orchestrator="menu:Menu")
    (key,), ended = played.of("dtmf"), played.of("playback_ended")[-1]
    assert 0 < ended.t_us - key.t_us <= 440_000
