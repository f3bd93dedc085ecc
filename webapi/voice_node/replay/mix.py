"""The mix of a replay: what the caller and the bot said, as a stereo WAV that is written during the replay."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from webapi.voice_node.audio_io import resampler
from webapi.voice_node.events import ROOM_RATE_HZ

Mix: TypeAlias = Callable[[bytes, bytes], None]
"""Takes what the caller and the bot said meanwhile: int16 PCM at 48 kHz, both of the same length, at most a second."""

PART = ".part"  # suffix of a mix that is not yet complete
MIX_RATE_HZ = 16_000


@contextmanager
def mix_into(path: Path) -> Iterator[Mix]:
    """Write a WAV at 16 kHz: channel 0 the caller, 1 the bot. `path` exists once it is complete. OSError as `open`."""
    part = path.with_suffix(PART)
    sides = [resampler(ROOM_RATE_HZ, MIX_RATE_HZ, aligned=True) for _ in range(2)]
    try:
        with wave.open(str(part), "wb") as file:
            file.setparams((2, 2, MIX_RATE_HZ, 0, "NONE", ""))

            def write(pieces: Iterable[bytes]) -> None:
                file.writeframesraw(np.stack([np.frombuffer(piece, "<i2") for piece in pieces], axis=1).tobytes())

            yield lambda caller, bot: write(side.push(pcm) for side, pcm in zip(sides, (caller, bot), strict=True))
            write(side.flush() for side in sides)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
