"""Real prompts of Debian's asterisk-core-sounds-LANG-wav packages, cut out of their silence and labelled by energy."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.audio.wav import read_wav
from webapi.voice_node.errors import UserError

SOUNDS = Path("/usr/share/asterisk/sounds")
MUSIC = Path("/usr/share/asterisk/moh")  # asterisk-moh-opsound-wav
RATE_HZ = 8_000
BLOCK = RATE_HZ // 100  # 10 ms
SPEECH_DB = -30.0  # a block is speech that is at most so far below the prompt's loud ones (95th percentile)
PAUSE_S = 0.5  # a longer pause ends an utterance, for the labels
SHORTEST_S, LONGEST_S = 0.4, 8.0
SHORTEST_WORD_S = 0.1
WORDS = re.compile(r"(letters|digits)/\w\.wav|(vm-)?(yes|no|stop)\.wav|(hello|sorry|is|for|with)\.wav")  # said alone
NO_SPEECH = re.compile(r"beep|tone|monkey|silence|ha/|jeopardy|confbridge-(join|leave)")
Samples = NDArray[np.float64]


class Prompt(NamedTuple):
    """A clip that begins and ends with speech: full scale is 1. `spans`: seconds of its utterances (start, end)."""

    name: str
    samples: Samples
    spans: tuple[tuple[float, float], ...]
    rms: float  # of its speech


@lru_cache
def prompts(language: str) -> tuple[Prompt, ...]:
    """Every prompt of `language` (en, es, fr, …) that is speech and neither very short nor long."""
    return _prompts(language, re.compile(""), SHORTEST_S)


@lru_cache
def words(language: str) -> tuple[Prompt, ...]:
    """Every letter and digit of `language`, and some short words, each a clip of its own."""
    return _prompts(language, WORDS, SHORTEST_WORD_S)


def music() -> tuple[Samples, ...]:
    """The pieces of asterisk-moh-opsound-wav; none where it is not installed."""
    return tuple(_read(path) for path in sorted(MUSIC.glob("*.wav")))


def _read(path: Path) -> Samples:
    pcm, rate = read_wav(path)
    if rate != RATE_HZ:
        raise UserError(f"{path}: {rate} Hz; {RATE_HZ} is wanted, as the Debian packages have it")
    return np.frombuffer(pcm, "<i2") / 32768


def _prompts(language: str, wanted: re.Pattern[str], shortest_s: float) -> tuple[Prompt, ...]:
    folder = SOUNDS / language
    if not folder.is_dir():
        raise UserError(f"{folder}: no voices there. On Debian: apt-get install asterisk-core-sounds-{language}-wav")
    paths = [path for path in sorted(folder.rglob("*.wav")) if wanted.match(path.relative_to(folder).as_posix())]
    found = (_prompt(path, folder, shortest_s) for path in paths)
    return tuple(prompt for prompt in found if prompt)


def _prompt(path: Path, folder: Path, shortest_s: float) -> Prompt | None:
    name = str(path.relative_to(folder))
    if NO_SPEECH.search(name):
        return None
    try:
        samples = _read(path)
    except UserError:  # ru/is.wav is empty
        return None
    blocks = len(samples) // BLOCK
    if blocks < shortest_s * 100:
        return None
    power = (samples[: blocks * BLOCK].reshape(blocks, BLOCK) ** 2).mean(axis=1)
    speech = power > np.percentile(power, 95) * 10 ** (SPEECH_DB / 10)
    # A lone block is a click of the lips: two of three must be speech.
    speech &= np.convolve(speech, np.ones(3), "same") >= 2
    at = np.flatnonzero(speech)
    if len(at) == 0 or not shortest_s <= (at[-1] + 1 - at[0]) / 100 <= LONGEST_S:
        return None
    breaks = np.flatnonzero(np.diff(at) > PAUSE_S * 100)
    starts, ends = at[np.r_[0, breaks + 1]], at[np.r_[breaks, len(at) - 1]] + 1
    spans = tuple(((int(s) - int(at[0])) / 100, (int(e) - int(at[0])) / 100) for s, e in zip(starts, ends, strict=True))
    cut = samples[at[0] * BLOCK : (at[-1] + 1) * BLOCK]
    return Prompt(name, cut, spans, float(np.sqrt(power[speech].mean())))
