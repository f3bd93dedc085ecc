"""What the node says of its own accord: a graph names it as a WAV file, or as a key that its orchestrator knows."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

from webapi.voice_node.audio.wav import wav_info
from webapi.voice_node.audio_io import read_wav, resample_pcm
from webapi.voice_node.errors import UserError

WAV = ".wav"
LONGEST_S = 60  # of a file, which is held in memory whole


def is_file(prompt: str) -> bool:
    """Whether the node plays it itself; else the orchestrator is asked for it by this name."""
    return prompt.endswith(WAV)


def file_of(prompt: str, folder: Path) -> Path:
    """The file that a graph in `folder` means: beside the graph, or else from where the node runs."""
    beside = folder / prompt
    return beside if beside.exists() else Path(prompt)


def _checked(prompt: str, info: ValidationInfo) -> str:
    told = info.context or {}
    if not is_file(prompt) or told.get("recorded"):
        return prompt
    path = file_of(prompt, told.get("folder", Path()))
    if not path.exists():
        raise ValueError("there is no such file, neither beside the graph nor in the working directory")
    try:
        sound = wav_info(path)
    except UserError as error:
        raise ValueError(str(error)) from None
    if sound.frames > LONGEST_S * sound.rate:
        raise ValueError(f"{sound.frames / sound.rate:g} s of audio; a prompt has at most {LONGEST_S} s")
    return prompt


Prompt = Annotated[str, Field(min_length=1), AfterValidator(_checked)]
"""An argument of an operator that names one; a file is looked at when the graph is read."""


async def sound(prompt: str, trace_id: str, orchestrator: Any, folder: Path, rate: int) -> AsyncIterator[bytes] | None:
    """Its PCM at `rate` (Hz), in chunks; None where the orchestrator has nothing for it."""
    if is_file(prompt):
        path = file_of(prompt, folder)
        return single_chunk(_pcm(path, path.stat().st_mtime_ns, rate))
    ask = getattr(orchestrator, "play_filler", None)
    given = ask(trace_id, prompt) if ask else None
    if inspect.isawaitable(given):
        given = await given
    return None if given is None else aiter(given)


async def single_chunk(pcm: bytes) -> AsyncIterator[bytes]:
    """All of it in one chunk."""
    yield pcm


@functools.lru_cache(maxsize=16)
def _pcm(path: Path, _changed: int, rate: int) -> bytes:
    """Read once for all calls, until the file is another."""
    pcm, wav_rate = read_wav(path)
    return resample_pcm(pcm, wav_rate, rate)
