"""PCM: resample, cut into frames, join. Whole buffers by soxr; live streams 4 ms behind, exact however they are cut.

PCM is little-endian int16, mono. Why soxr's own stream is not what runs live: it holds audio back up to 158 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from webapi.voice_node.fir import Fir
from webapi.voice_node.wav import read_wav, write_wav

FULL_SCALE = 32768.0
FRAME_8K_20MS_BYTES = 320
SOXR_QUALITIES = {"soxr-qq": "QQ", "soxr-lq": "LQ", "soxr-mq": "MQ", "soxr-hq": "HQ", "soxr-vhq": "VHQ"}

Float = NDArray[np.float32]
Int = NDArray[np.int16]


# ---------------------------------------------------------------- whole buffers


def resample_48k_to_8k(audio: NDArray[np.floating[Any]]) -> Int:
    """Mono float samples (−1 to 1) at 48 kHz to int16 at 8 kHz, ceil(n / 6) of them. Clips; NaN is silence."""
    samples = np.asarray(audio, np.float32)
    _mono(samples)
    return to_int16(_soxr(np.nan_to_num(samples, posinf=1, neginf=-1), 48_000, 8_000))


def resample_8k_to_48k(audio: Int) -> Float:
    """Mono int16 samples at 8 kHz to float32 (−1 to 1) at 48 kHz: 6 n of them."""
    samples = np.asarray(audio)
    _mono(samples)
    if samples.dtype != np.int16:
        raise ValueError(f"int16 samples are needed, {samples.dtype} came")
    return np.clip(_soxr(samples.astype(np.float32) / np.float32(FULL_SCALE), 8_000, 48_000), -1, 1)


def resample_pcm(pcm: bytes, rate_in: int, rate_out: int) -> bytes:
    """A whole piece of PCM at another rate, by soxr at its best."""
    if rate_in == rate_out:
        return pcm
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(FULL_SCALE)
    return to_int16(_soxr(samples, rate_in, rate_out)).tobytes()


def to_int16(samples: Float) -> Int:
    """Floats of −1 to 1 as int16, rounded half to even, clipped. (soxr's own int16 is dithered at random.)"""
    whole: Int = np.clip(np.round(samples * np.float32(FULL_SCALE)), -32768, 32767).astype("<i2")
    return whole


def _soxr(samples: Float, rate_in: int, rate_out: int) -> Float:
    """Resampled at VHQ to exactly ceil(n · out / in) samples; soxr itself may give one more or less."""
    wanted = -(-len(samples) * rate_out // rate_in)
    out = np.asarray(soxr.resample(samples, rate_in, rate_out, quality="VHQ"), np.float32) if len(samples) else samples
    return np.pad(out[:wanted], (0, max(0, wanted - len(out))))


def _mono(samples: NDArray[Any]) -> None:
    if samples.ndim != 1:
        raise ValueError(f"mono samples in one dimension are needed, an array of shape {samples.shape} came")


# ---------------------------------------------------------------- frames


def frame_8k_20ms(pcm: bytes) -> Iterator[bytes]:
    """Frames of 160 samples (320 bytes); the last one is filled up with silence."""
    for at in range(0, len(pcm), FRAME_8K_20MS_BYTES):
        yield pcm[at : at + FRAME_8K_20MS_BYTES].ljust(FRAME_8K_20MS_BYTES, b"\0")


def join_frames(frames: Iterable[bytes]) -> bytes:
    """The frames as one piece."""
    return b"".join(frames)


class Framer:
    """`frame_8k_20ms` as a stream, for frames of any size: what does not fill a frame waits for the next push."""

    def __init__(self, frame_bytes: int) -> None:
        self._size = frame_bytes
        self._held = b""

    def push(self, pcm: bytes) -> list[bytes]:
        """The frames that are full now."""
        held = self._held + pcm if self._held else pcm
        size = self._size
        full = len(held) // size * size
        self._held = held[full:]
        return [held[at : at + size] for at in range(0, full, size)]

    def flush(self) -> bytes | None:
        """The frame that was begun, filled up with silence; None where there is none."""
        held, self._held = self._held, b""
        return held.ljust(self._size, b"\0") if held else None


# ---------------------------------------------------------------- streams


class Resampler(Protocol):
    """Audio at one rate in, at another out, piece by piece."""

    def push(self, pcm: bytes) -> bytes:
        """What can come out, now that `pcm` has gone in."""
        ...

    def flush(self) -> bytes:
        """The rest; the next push begins anew."""
        ...


class SoxrStream:
    """soxr's stream: for offline work. It holds back 0 (QQ, which has no alias filter) to 158 ms (HQ), in bursts."""

    def __init__(self, rate_in: int, rate_out: int, quality: str) -> None:
        # soxr annotates its functions and forgets its class: typed once, here.
        stream: Any = soxr.ResampleStream
        self._make: Callable[[], Any] = lambda: stream(rate_in, rate_out, 1, dtype="float32", quality=quality)
        self._stream = self._make()

    def push(self, pcm: bytes) -> bytes:
        """What soxr gives."""
        return self._run(np.frombuffer(pcm, "<i2"), last=False)

    def flush(self) -> bytes:
        """What soxr held back."""
        rest = self._run(np.zeros(0, "<i2"), last=True)
        self._stream = self._make()
        return rest

    def _run(self, samples: Int, *, last: bool) -> bytes:
        floats = samples.astype(np.float32) / np.float32(FULL_SCALE)
        return to_int16(self._stream.resample_chunk(floats, last=last)).tobytes()


class _Same:
    """One rate, nothing to do."""

    def push(self, pcm: bytes) -> bytes:
        return pcm

    def flush(self) -> bytes:
        return b""


def resampler(rate_in: int, rate_out: int, engine: str = "fir", *, aligned: bool = False) -> Resampler:
    """A stream from one rate to another: `fir` (live) or one of SOXR_QUALITIES. `aligned`: see Fir."""
    if rate_in == rate_out:
        return _Same()
    if engine == "fir":
        return Fir(rate_in, rate_out, aligned=aligned)
    if engine not in SOXR_QUALITIES:
        raise ValueError(f"engine {engine!r}: there are fir, {', '.join(SOXR_QUALITIES)}")
    return SoxrStream(rate_in, rate_out, SOXR_QUALITIES[engine])


__all__ = [
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
