"""The audio inside the page of a timeline: both sides at 8 kHz, compressed where the package `soundfile` is there."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.audio.fir_resampler import Fir
from webapi.voice_node.events import BYTES_PER_SAMPLE
from webapi.voice_node.replay.mix import DELAY_MS, MIX_RATE_HZ
from webapi.voice_node.replay.timeline.wave import Outline

RATE_HZ = 8_000
SIDES = 2
BITS = 8  # of a sample, beside its sign, for the loudest one: noise is 50 dB below it
COARSER_BITS = 2  # less, where the audio is too large
BYTES_PER_S = 6_000  # ten minutes are 3.6 MB, which are 4.8 MB in the page
LEAST_BYTES, MOST_BYTES = 3_600_000, 12_000_000
BLOCK_FRAMES = 10 * MIX_RATE_HZ


def audio_url(mix: Path, outline: Outline) -> str:
    """Return the audio of a mix as a `data:` URL; "" where it is too large. Raises OSError as `open`.

    FLAC, which all browsers play, of as many bits as needed; without soundfile a WAV of 8 bits.
    """
    most = min(MOST_BYTES, max(LEAST_BYTES, round(outline.seconds * BYTES_PER_S)))
    try:
        import soundfile  # here: an extra, and not needed for anything else
    except (ImportError, OSError):  # OSError: the library that it wraps is not there
        return _url("wav", _wav(mix)) if outline.seconds * RATE_HZ * SIDES < most else ""
    loudest = (int(outline.peaks.max(initial=0)) + 1) * 128
    shift = max(0, (loudest - 1).bit_length() - BITS)
    encoded = _flac(soundfile, mix, shift, most) or _flac(soundfile, mix, shift + COARSER_BITS, most)
    return _url("flac", encoded) if encoded else ""


def _flac(soundfile: Any, mix: Path, shift: int, most: int) -> bytes:
    """Return a FLAC without the lowest `shift` bits; b"" where it would have more than `most` bytes."""
    held = io.BytesIO()
    half = np.int16(1 << shift >> 1)
    with soundfile.SoundFile(held, "w", RATE_HZ, SIDES, "PCM_16", format="FLAC", compression_level=0.0) as file:
        for block in _blocks(mix):
            file.write((np.minimum(block, 32767 - half) + half) >> shift << shift)
            if held.tell() > most:
                return b""
    return held.getvalue()


def _wav(mix: Path) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((SIDES, 1, RATE_HZ, 0, "NONE", ""))
        for block in _blocks(mix):
            file.writeframesraw(((block >> 8) + 128).astype(np.uint8).tobytes())
    return held.getvalue()


def _blocks(mix: Path) -> Iterator[NDArray[np.int16]]:
    """Yield the mix at RATE_HZ, shape (frames, sides)."""
    through = [Fir(MIX_RATE_HZ, RATE_HZ, aligned=True, delay_ms=DELAY_MS) for _ in range(SIDES)]
    with wave.open(str(mix), "rb") as file:
        while raw := file.readframes(BLOCK_FRAMES):
            both = np.frombuffer(raw, "<i2").reshape(-1, SIDES)
            yield _interleaved([each.push(both[:, side].tobytes()) for side, each in enumerate(through)])
    yield _interleaved([each.flush() for each in through])


def _interleaved(pieces: list[bytes]) -> NDArray[np.int16]:
    both = np.empty((len(pieces[0]) // BYTES_PER_SAMPLE, SIDES), np.int16)
    for side, piece in enumerate(pieces):
        both[:, side] = np.frombuffer(piece, "<i2")
    return both


def _url(kind: str, content: bytes) -> str:
    return f"data:audio/{kind};base64,{base64.b64encode(content).decode()}"
