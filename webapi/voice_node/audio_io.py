"""Resamples PCM, cuts it into frames and joins them: whole buffers, and streams for live audio.

PCM is little-endian int16, mono. Whole buffers are resampled by soxr. Live streams are 4 ms late and give the same bits
however the input was cut; soxr's own stream holds audio back up to 171 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from webapi.voice_node.audio.fir_resampler import Fir
from webapi.voice_node.audio.samples import Float, Int, to_float, to_int16, whole_samples
from webapi.voice_node.audio.soxr_stream import SOXR_QUALITIES, SoxrStream
from webapi.voice_node.audio.wav import read_wav, write_wav
from webapi.voice_node.errors import UserError

LOUDEST = 256.0  # 48 dB over full scale: a larger float is an error, and no sample
FRAME_8K_20MS_BYTES = 320


# ---------------------------------------------------------------- whole buffers


def resample_48k_to_8k(audio: NDArray[np.floating[Any]]) -> Int:
    """Resample n mono float samples (−1 to 1) at 48 kHz to ceil(n / 6) int16 samples at 8 kHz, rounded and clipped.

    NaN, infinity and values beyond ±LOUDEST count as silence. Raises ValueError for other shapes and types.
    """
    samples = np.asarray(audio)
    _mono(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"float samples are needed, {samples.dtype} came")
    sane = np.where(np.abs(samples) <= LOUDEST, samples, 0).astype(np.float32)
    return to_int16(_soxr(sane, 48_000, 8_000))


def resample_8k_to_48k(audio: Int) -> Float:
    """Resample n mono int16 samples at 8 kHz to 6 n float32 samples at 48 kHz, clipped to −1 to 1.

    Raises ValueError for other shapes and types.
    """
    samples = np.asarray(audio)
    _mono(samples)
    if samples.dtype != np.int16:
        raise ValueError(f"int16 samples are needed, {samples.dtype} came")
    return np.clip(_soxr(to_float(samples), 8_000, 48_000), -1, 1)


def resample_pcm(pcm: bytes, rate_in: int, rate_out: int) -> bytes:
    """Resample n samples of PCM to ceil(n · rate_out / rate_in), with soxr's best quality. Half a sample is dropped."""
    if rate_in == rate_out:
        return pcm
    samples, _ = whole_samples(b"", pcm)
    return to_int16(_soxr(to_float(samples), rate_in, rate_out)).tobytes()


def _soxr(samples: Float, rate_in: int, rate_out: int) -> Float:
    """Resample at VHQ to exactly ceil(n · rate_out / rate_in) samples; soxr itself may give one more or less."""
    wanted = -(-len(samples) * rate_out // rate_in)
    out = np.asarray(soxr.resample(samples, rate_in, rate_out, quality="VHQ"), np.float32) if len(samples) else samples
    return np.pad(out[:wanted], (0, max(0, wanted - len(out))))


def _mono(samples: NDArray[Any]) -> None:
    if samples.ndim != 1:
        raise ValueError(f"mono samples in one dimension are needed, an array of shape {samples.shape} came")


# ---------------------------------------------------------------- frames


def frame_8k_20ms(pcm: bytes) -> Iterator[bytes]:
    """Yield frames of 160 samples (320 bytes: 20 ms at 8 kHz); the last one is padded with silence."""
    for at in range(0, len(pcm), FRAME_8K_20MS_BYTES):
        yield pcm[at : at + FRAME_8K_20MS_BYTES].ljust(FRAME_8K_20MS_BYTES, b"\0")


def join_frames(frames: Iterable[bytes]) -> bytes:
    """Return the frames as one piece of PCM."""
    return b"".join(frames)


class Framer:
    """Cuts a stream into frames of `frame_bytes`: what does not fill a frame waits for the next push."""

    def __init__(self, frame_bytes: int) -> None:
        self._size = frame_bytes
        self._held = b""

    def push(self, pcm: bytes) -> list[bytes]:
        """Return the frames that are complete now."""
        size = self._size
        if not self._held and len(pcm) == size:  # as `resample` gives it to `window`
            return [pcm]
        held = self._held + pcm if self._held else pcm
        full = len(held) // size * size
        self._held = held[full:]
        return [held[at : at + size] for at in range(0, full, size)]

    def flush(self) -> bytes | None:
        """Return the frame that was begun, padded with silence; None where there is none."""
        held, self._held = self._held, b""
        return held.ljust(self._size, b"\0") if held else None


# ---------------------------------------------------------------- streams


class Resampler(Protocol):
    """Resamples int16 PCM piece by piece."""

    def push(self, pcm: bytes) -> bytes:
        """Return the output that `pcm` completes."""
        ...

    def flush(self) -> bytes:
        """Return the rest; the next push starts again."""
        ...


class _Same:
    """Returns PCM as it is: both rates are the same."""

    def push(self, pcm: bytes) -> bytes:
        return pcm

    def flush(self) -> bytes:
        return b""


def resampler(rate_in: int, rate_out: int, engine: str = "fir", *, aligned: bool = False) -> Resampler:
    """Return a stream from one rate in Hz to another, by `fir` (live) or one of SOXR_QUALITIES, which take any rates.

    `aligned`: see Fir; soxr always is. Raises UserError for an unknown engine, or rates that it can't resample.
    """
    if engine != "fir" and engine not in SOXR_QUALITIES:
        raise UserError(f"engine {engine!r}: there are fir, {', '.join(SOXR_QUALITIES)}")
    if rate_in == rate_out:
        return _Same()
    if engine == "fir":
        return Fir(rate_in, rate_out, aligned=aligned)
    return SoxrStream(rate_in, rate_out, SOXR_QUALITIES[engine])


__all__ = [
    "SOXR_QUALITIES",
    "Framer",
    "Resampler",
    "frame_8k_20ms",
    "join_frames",
    "read_wav",
    "resample_8k_to_48k",
    "resample_48k_to_8k",
    "resample_pcm",
    "resampler",
    "to_int16",
    "write_wav",
]
