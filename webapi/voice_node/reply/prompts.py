"""Prompts and fillers by their names in a graph: a WAV file, or a key that the orchestrator has a sound for."""

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
from webapi.voice_node.reply.reply_source import iterator_of

WAV = ".wav"
LONGEST_S = 60  # of a file, which is held in memory whole


def is_file(prompt: str) -> bool:
    """Whether `prompt` names a file, which the node plays itself. Else it is a key, and the orchestrator is asked."""
    return prompt.endswith(WAV)


def file_of(prompt: str, folder: Path) -> Path:
    """The file that a graph in `folder` means: in that folder, or else in the working directory."""
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
"""The type of an operator's argument that names a prompt or a filler. A file is checked when the graph is read."""


async def sound(prompt: str, trace_id: str, orchestrator: Any, folder: Path, rate: int) -> AsyncIterator[bytes] | None:
    """The PCM of `prompt` (int16 mono at `rate` Hz), in chunks; None where the orchestrator has no sound for it.

    Raises what the orchestrator raises, and UserError or OSError where the file can't be read any more.
    """
    if is_file(prompt):
        path = file_of(prompt, folder)
        return single_chunk(_pcm(path, path.stat().st_mtime_ns, rate))
    ask = getattr(orchestrator, "play_filler", None)
    given = ask(trace_id, prompt) if callable(ask) else None
    if inspect.isawaitable(given):
        given = await given
    return None if given is None else await iterator_of(given, "play_filler")


async def single_chunk(pcm: bytes) -> AsyncIterator[bytes]:
    """`pcm` in one chunk."""
    yield pcm


@functools.lru_cache(maxsize=16)
def _pcm(path: Path, _changed: int, rate: int) -> bytes:
    """The file's PCM at `rate` Hz. Read once for all sessions, until the file changes."""
    pcm, wav_rate = read_wav(path)
    return resample_pcm(pcm, wav_rate, rate)
