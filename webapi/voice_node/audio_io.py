"""PCM: resample, cut into frames, join. Whole buffers by soxr; live streams 4 ms behind, exact however they are cut.

PCM is little-endian int16, mono. Why soxr's own stream is not what runs live: it holds audio back up to 171 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from webapi.voice_node.audio.fir_resampler import Fir, whole_samples
from webapi.voice_node.audio.wav import read_wav, write_wav
from webapi.voice_node.errors import UserError

FULL_SCALE = 32768.0
LOUDEST = 256.0  # 48 dB over full scale: a float beyond that is no sample but a fault
FRAME_8K_20MS_BYTES = 320
SOXR_QUALITIES = {"soxr-qq": "QQ", "soxr-lq": "LQ", "soxr-mq": "MQ", "soxr-hq": "HQ", "soxr-vhq": "VHQ"}

Float = NDArray[np.float32]
Int = NDArray[np.int16]


# ---------------------------------------------------------------- whole buffers


def resample_48k_to_8k(audio: NDArray[np.floating[Any]]) -> Int:
    """Mono float samples (−1 to 1) at 48 kHz to int16 at 8 kHz, ceil(n / 6) of them, clipped. See `to_int16`.

    What is no sample counts as silence: NaN, infinity, anything beyond ±LOUDEST. ValueError for other shapes and types.
    """
    samples = np.asarray(audio)
    _mono(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"float samples are needed, {samples.dtype} came")
    sane = np.where(np.abs(samples) <= LOUDEST, samples, 0).astype(np.float32)
    return to_int16(_soxr(sane, 48_000, 8_000))


def resample_8k_to_48k(audio: Int) -> Float:
    """Mono int16 samples at 8 kHz to float32 at 48 kHz, clipped to −1 to 1: 6 n of them. ValueError for others."""
    samples = np.asarray(audio)
    _mono(samples)
    if samples.dtype != np.int16:
        raise ValueError(f"int16 samples are needed, {samples.dtype} came")
    return np.clip(_soxr(to_float(samples), 8_000, 48_000), -1, 1)


def resample_pcm(pcm: bytes, rate_in: int, rate_out: int) -> bytes:
    """A whole piece of PCM at another rate, by soxr at its best: ceil(n · out / in) samples. A half one is dropped."""
    if rate_in == rate_out:
        return pcm
    samples, _ = whole_samples(b"", pcm)
    return to_int16(_soxr(to_float(samples), rate_in, rate_out)).tobytes()


def to_float(samples: Int) -> Float:
    """int16 as floats of −1 to 1, exactly."""
    floats: Float = samples.astype(np.float32) / np.float32(FULL_SCALE)
    return floats


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
    """soxr's stream: for offline work. It holds back 0 (QQ, which has no alias filter) to 171 ms (HQ), in bursts.

    In all, n samples give ceil(n · rate_out / rate_in), as Fir does when aligned.
    """

    def __init__(self, rate_in: int, rate_out: int, quality: str) -> None:
        if min(rate_in, rate_out) <= 0:
            raise UserError(f"{rate_in} Hz to {rate_out} Hz: rates are above 0")
        self._rate_in, self._rate_out = rate_in, rate_out
        # soxr annotates its functions and forgets its class: typed once, here.
        stream: Any = soxr.ResampleStream
        self._make: Callable[[], Any] = lambda: stream(rate_in, rate_out, 1, dtype="float32", quality=quality)
        self.reset()

    def reset(self) -> None:
        """Begin anew: silence before, nothing pending."""
        self._stream = self._make()
        self._odd = b""
        self._taken = self._given = 0

    def push(self, pcm: bytes) -> bytes:
        """What soxr gives. Half a sample waits for its other half."""
        samples, self._odd = whole_samples(self._odd, pcm)
        self._taken += len(samples)
        out = to_int16(self._stream.resample_chunk(to_float(samples)))
        self._given += len(out)
        return out.tobytes()

    def flush(self) -> bytes:
        """What soxr held back, to the exact length; then begin anew. Half a sample that still waits is dropped."""
        missing = -(-self._taken * self._rate_out // self._rate_in) - self._given
        rest = to_int16(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))[:missing]
        self.reset()
        return rest.tobytes().ljust(2 * missing, b"\0")


class _Same:
    """One rate, nothing to do."""

    def push(self, pcm: bytes) -> bytes:
        return pcm

    def flush(self) -> bytes:
        return b""


def resampler(rate_in: int, rate_out: int, engine: str = "fir", *, aligned: bool = False) -> Resampler:
    """A stream from one rate to another: `fir` (live) or one of SOXR_QUALITIES, which take any rates.

    `aligned`: see Fir; soxr always is. UserError for an engine that is not there, or rates that it can't.
    """
    if engine != "fir" and engine not in SOXR_QUALITIES:
        raise UserError(f"engine {engine!r}: there are fir, {', '.join(SOXR_QUALITIES)}")
    if rate_in == rate_out:
        return _Same()
    if engine == "fir":
        return Fir(rate_in, rate_out, aligned=aligned)
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
