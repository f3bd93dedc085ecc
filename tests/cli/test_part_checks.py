"""The parts of a graph are tried before a caller needs them: by `run`, which refuses, and by `doctor`, line by line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.converse.openai_server import OpenAiServer
from tests.converse.wyoming_server import WyomingServer
from tests.e2e.process import run_node
from tests.graph.our_graphs import KEYS, our_graphs
from webapi.voice_node.cli.doctor.parts import check_parts
from webapi.voice_node.config import load_settings
from webapi.voice_node.converse import part_names
from webapi.voice_node.converse.check_parts import ChosenPart, TriedPart, try_parts
from webapi.voice_node.converse.check_parts import check_parts as check_all
from webapi.voice_node.converse.part_names import choose
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.errors import UserError
from webapi.voice_node.plugins import Plugins


@pytest.fixture(autouse=True)
def _no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


def test_run_refuses_before_the_room_is_joined(tmp_path: Path) -> None:
    without_key = run_node("run", "--graph", "openai", "--no-dev-server", "--no-page", cwd=tmp_path)
    assert without_key.code == 2
    assert "${OPENAI_API_KEY}: this variable is not set" in without_key.err
    assert "Traceback" not in without_key.said
    port = free_port("tcp", 0)
    text = our_graphs()["wyoming"].read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace(":11434", f":{port}").replace(":10300", f":{port}"))
    away = run_node("run", "--graph", "mine.yaml", "--no-dev-server", "--no-page", cwd=tmp_path)
    assert away.code == 2
    assert "Traceback" not in away.said
    assert f"reply: with.stt: wyoming speech-to-text at tcp://localhost:{port}: the server can't be reached" in away.err
    assert "reply: with.llm: openai language model (llama3.2)" in away.err
    assert "Start the server, or correct base_url of the part" in away.err
    assert "room" not in away.said


def test_doctor_has_a_line_for_each_part(tmp_path: Path) -> None:
    async def results(models: list[str]) -> dict[str, tuple[str, str, str]]:
        openai = OpenAiServer(models=models)
        async with openai.running(), WyomingServer().running() as wyoming:
            text = our_graphs()["wyoming"].read_text(encoding="utf-8")
            text = text.replace("http://localhost:11434/v1", openai.url).replace("localhost:10300", wyoming.uri[6:])
            path = tmp_path / "mine.yaml"
            path.write_text(text.replace(":10200", f":{free_port('tcp', 0)}"))
            found = await asyncio.to_thread(check_parts, load_settings(None, voice_graph=str(path)))
            return {each.name: (each.state, each.found, each.advice) for each in found}

    found = asyncio.run(results(["llama3.2:latest"]))
    assert [state for state, _, _ in found.values()] == ["ok", "ok", "fail"]
    assert found["speech-to-text"][1].endswith(" is ready")
    _, what, advice = found["text-to-speech"]
    assert "the server can't be reached" in what
    assert advice == "Start the server, or correct uri of the part"
    state, _, advice = asyncio.run(results(["mistral"]))["language model"]
    assert state == "warn"
    assert "does not list the model llama3.2. Correct model" in advice


@pytest.mark.parametrize(("voice", "doubt"), [("amy", ""), ("ryan", "the server does not list ryan. It has: amy, joe")])
def test_a_voice_that_a_server_does_not_list_is_a_doubt(voice: str, doubt: str) -> None:
    async def tried() -> TriedPart:
        async with WyomingServer(models=("amy", "joe")).running() as server:
            part = ChosenPart("", choose("tts", {"part": "wyoming", "uri": server.uri, "voice": voice}))
            (found,) = await try_parts([part])
            return found

    assert asyncio.run(tried()).doubt == doubt


class Broken:
    """A part whose author did not think of everything."""

    async def open(self) -> None:
        raise KeyError("url")

    async def aclose(self) -> None: ...

    async def chat(self, messages: object) -> AsyncIterator[str]:
        yield ""


def test_a_part_that_raises_anything_is_told_and_the_others_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    table: dict[str, type] = {"llm.broken": Broken}
    monkeypatch.setattr(part_names, "PARTS", Plugins("part", "voice_node.none", table))
    parts = [ChosenPart("g.yaml:1:1: with", choose("llm", {"part": "broken"}))] * 2
    with pytest.raises(UserError) as told:
        asyncio.run(check_all(parts))
    assert (
        str(told.value).splitlines()
        == ["g.yaml:1:1: with.llm: broken language model: KeyError: 'url'. Ask the author of the part"] * 2
    )
    assert told.value.needs == ()


def test_doctor_says_nothing_of_parts_where_there_are_none() -> None:
    assert check_parts(load_settings(None)) == []
    assert check_parts(load_settings(None, voice_graph="openai")) == []  # without its key: the check of the graph tells
