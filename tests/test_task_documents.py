"""The documents by task: every command in them is run, every file in them works, every sample is right Python."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import textwrap
from pathlib import Path

import pytest

from tests.converse.openai_server import OpenAiServer
from tests.documents import ROOT, Block, blocks, write_files
from tests.e2e.process import Ended, run_node
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.errors.advice import EXTRAS

BY_TASK = ("first-bot", "streaming-stt", "slow-tools", "from-livekit-agents", "from-pipecat")
WITHOUT_ROOM = ("--no-dev-server", "--no-page")
MODELS = ["whisper-1", "gpt-4o-mini", "gpt-4o-mini-tts"]


class Reader:
    """Does in a folder of its own what a document says, in the order in which it says it."""

    def __init__(self, name: str, folder: Path, server: OpenAiServer) -> None:
        self.folder = folder
        self.variables: dict[str, object] = {"OPENAI_BASE_URL": server.url}
        shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
        shutil.copytree(ROOT / "graphs", folder / "graphs")
        write_files(name, folder)
        self.shown = ""  # by the command before

    def take(self, block: Block) -> None:
        """Do what one block says, or compare it with what the command before has shown."""
        if block.language == "yaml":
            self.edit(block.text)
        elif not block.language and self.shown:
            assert block.text.strip() == self.shown.strip()
            self.shown = ""
        elif not block.language:
            for line in block.text.splitlines():
                self.run(shlex.split(line, comments=True))

    def edit(self, text: str) -> None:
        """Put it in the place of the graph's `reply`, if it is written for that."""
        graph = self.folder / "mine.yaml"
        if graph.exists() and text.startswith(" "):
            before = graph.read_text(encoding="utf-8")
            after = re.sub(r"^ *- reply:.*\n(?: {8,}.*\n)*", text, before, count=1, flags=re.MULTILINE)
            assert after != before
            graph.write_text(after, encoding="utf-8")

    def run(self, words: list[str]) -> None:
        """Run a command. What would install, or join a room, is checked up to there."""
        match words:
            case ["make", target]:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            case ["cp", source, target]:
                shutil.copy(self.folder / source, self.folder / target)
            case ["export", given]:
                name, _, value = given.partition("=")
                self.variables[name] = value
            case [".venv/bin/pip", "install", "-c", "constraints.txt", "-e", extras, *packages]:
                assert set(extras[2:-1].split(",")) <= set(EXTRAS)
                assert all(name.startswith("livekit-plugins-") for name in packages)
            case [".venv/bin/voice-node", "doctor", *more]:
                said = self.node("doctor", *more).out
                assert re.search(r"^ok +language model ", said, re.MULTILINE), said
            case [".venv/bin/voice-node", "replay" | "graphs" | "report" as command, *more]:
                ended = self.node(command, *more)
                assert ended.code == 0, ended.said
                self.shown = ended.out if command == "replay" and "mine.yaml" not in more else ""
            case [".venv/bin/voice-node", *more]:
                arguments = more[1:] if more[:1] == ["run"] else more
                url = f"ws://127.0.0.1:{free_port('tcp', 0)}"
                ended = self.node("run", *arguments, "--url", url, *WITHOUT_ROOM)
                assert ended.code == 2
                assert "Traceback" not in ended.said
                assert " loaded" in ended.err  # so graph, orchestrator and parts are right,
                assert "Start a LiveKit server there" in ended.err  # and only the room is missing
            case _:
                pytest.fail(f"nobody runs {words}")

    def node(self, *arguments: str) -> Ended:
        return run_node(*arguments, cwd=self.folder, **self.variables)


@pytest.mark.parametrize("name", BY_TASK)
def test_the_reader_of_a_document_can_do_what_it_says(name: str, tmp_path: Path) -> None:
    async def read() -> None:
        async with OpenAiServer(models=MODELS).running() as server:
            reader = Reader(name, tmp_path, server)
            for block in blocks(name):
                await asyncio.to_thread(reader.take, block)

    asyncio.run(read())


DOCUMENTS = sorted(path.stem for path in (ROOT / "docs").glob("*.md") if path.stem != "api")  # which has signatures


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_python_sample_compiles(name: str) -> None:
    for block in blocks(name):
        if block.language == "python":
            compile(f"async def sample():\n{textwrap.indent(block.text, '    ')}", f"{name}.md", "exec")
