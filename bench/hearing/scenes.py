"""Scenes: a minute of a caller's microphone each, and who spoke when. The same bytes from the same seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bench import g711
from bench.hearing import rooms
from bench.hearing.noises import BANGS, NOISES, Random, bangs
from bench.hearing.others import OTHER_BANGS, OTHERS
from bench.hearing.rooms import CALLERS, ROOMS
from bench.hearing.voices import RATE_HZ, Samples, prompts
from webapi.voice_node.replay.sweep.scoring import SpeechSpan

LENGTH_S = 60.0
QUIET_S = (0.8, 2.5)  # between prompts
BREATHLESS, BREATH_S = "breathless", (0.04, 0.12)  # a caller who talks for 20 s with hardly a pause
SPEECH_DB = -26.0  # RMS of the speech, of full scale; each caller is up to LOUDER_DB louder or softer
LOUDER_DB = 6.0
ROOM_DB = -66.0  # the hiss of a quiet room, always there
SNRS_DB = (20, 10, 5, 0)


class Scene(NamedTuple):
    """What is heard (int16 mono at RATE_HZ), and when somebody spoke."""

    condition: str  # "clean", "babble 10 dB", "clicks", …
    pcm: bytes
    spans: tuple[SpeechSpan, ...]

    @property
    def length_s(self) -> float:
        """Seconds."""
        return len(self.pcm) / 2 / RATE_HZ


def conditions(snrs: tuple[int, ...] = SNRS_DB) -> list[str]:
    """The names of all there are."""
    return ["clean", *(f"{noise} {snr} dB" for noise in NOISES for snr in snrs), *BANGS]


def harder(snrs: tuple[int, ...] = (20, 10)) -> list[str]:
    """The names of the rooms and callers that a rule could wrongly rely on not to meet."""
    return [*(f"{room} {snr} dB" for room in ROOMS for snr in snrs), *CALLERS, BREATHLESS]


def others(snrs: tuple[int, ...] = (20, 10)) -> list[str]:
    """The names of the noises by other makers, see others.py."""
    return [*(f"{noise} {snr} dB" for noise in OTHERS for snr in snrs), *OTHER_BANGS]


def scene(condition: str, number: int, seed: int, language: str, background: str, phone: bool = False) -> Scene:
    """The scene `number` of that condition. `background`: the language of the voices that are noise.

    `phone`: as it comes out of a telephone line, which passes 300 to 3400 Hz and codes by mu-law.

    The same number has the same talk in every condition, so that conditions differ by their noise alone.
    """
    made = _scene(condition, number, seed, language, background)
    if not phone:
        return made
    samples = rooms.telephone(np.frombuffer(made.pcm, "<i2") / 32768, 0.0, np.random.default_rng())
    return made._replace(pcm=g711.decode(g711.encode(_pcm(samples))))


def _scene(condition: str, number: int, seed: int, language: str, background: str) -> Scene:
    talk_random = np.random.default_rng([seed, number, 0])
    random = np.random.default_rng([seed, number, zlib.crc32(condition.encode())])
    n = round(LENGTH_S * RATE_HZ)
    room = _gain(ROOM_DB) * random.standard_normal(n)
    sounds: dict[str, Callable[[Random], Samples]] = {**BANGS, **OTHER_BANGS}
    if condition in sounds:
        return Scene(condition, _pcm(room + bangs(sounds[condition], n, random)), ())
    talk, spans, rms = _talk(n, talk_random, language, breathless=condition == BREATHLESS)
    if condition in ("clean", BREATHLESS):
        return Scene(condition, _pcm(talk + room), spans)
    if condition in CALLERS:
        return Scene(condition, _pcm(CALLERS[condition](talk, rms, random) + room * (condition != "dtx")), spans)
    noise, snr, _ = condition.split()
    made = {**NOISES, **ROOMS, **OTHERS}[noise](n, random, background)
    return Scene(condition, _pcm(talk + room + made * rms * _gain(-float(snr))), spans)


def _talk(n: int, random: Random, language: str, *, breathless: bool) -> tuple[Samples, tuple[SpeechSpan, ...], float]:
    """Prompts of one language at random times; RMS of the speech, which an SNR is counted from."""
    rms = _gain(SPEECH_DB + random.uniform(-LOUDER_DB, LOUDER_DB))
    out = np.zeros(n)
    spans: list[SpeechSpan] = []
    at = round(2.0 * RATE_HZ)  # some noise first
    while True:
        prompt = prompts(language)[int(random.integers(len(prompts(language))))]
        end = at + len(prompt.samples)
        if end > n - RATE_HZ:
            return out, tuple(spans), rms
        out[at:end] = prompt.samples * (rms / prompt.rms)
        spans += [SpeechSpan(round(at / RATE_HZ + s, 4), round(at / RATE_HZ + e, 4)) for s, e in prompt.spans]
        hurries = breathless and end % (23 * RATE_HZ) < 20 * RATE_HZ
        at = end + round(random.uniform(*(BREATH_S if hurries else QUIET_S)) * RATE_HZ)


def _gain(db: float) -> float:
    return float(10 ** (db / 20))


def _pcm(x: Samples) -> bytes:
    return np.clip(np.round(x * 32768), -32768, 32767).astype("<i2").tobytes()
