"""Reads WAV files of any width, rate and number of channels, in bounded memory, and writes 16 bit ones."""

from __future__ import annotations

import struct
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.audio.riff import WavHeader, WavInfo
from webapi.voice_node.errors import UserError

BLOCK_FRAMES = 65_536  # read at a time
SILENT, SOUND = 33, 330  # peaks of int16: a channel below −60 dB is silent, one above −40 dB is not


def wav_info(path: str | Path) -> WavInfo:
    """Return what the header says. Raises UserError, with file and reason, for a file that can't be read."""
    try:
        if Path(path).is_fifo():  # opening one waits for its writer, perhaps for ever
            raise UserError(f"{path}: a pipe, which can be read only once; write it to a file first")
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            return WavHeader(str(path), file, size).read()
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror}") from None


def iter_wav(path: str | Path, channel: int = 0) -> Iterator[bytes]:
    """Yield a channel as int16 PCM at the file's own rate, in blocks. A truncated file gives what is there.

    Raises UserError as `wav_info`, and where there is no such channel.
    """
    for frames in _iter_frames(path, wav_info(path), channel):
        yield frames[:, channel].tobytes()


def silence_note(path: str | Path, channel: int = 0) -> str:
    """Return what to say of a file whose `channel` is silent while another one is not; "" for any other.

    Raises UserError as `iter_wav`.
    """
    info = wav_info(path)
    peaks = np.zeros(info.channels, np.int64)
    if info.channels > 1:
        for frames in _iter_frames(path, info, channel):
            peaks = np.maximum(peaks, np.abs(frames.astype(np.int64)).max(axis=0))
            if peaks[channel] >= SILENT:
                return ""
    other = int(peaks.argmax())
    if peaks[other] < SOUND:
        return ""
    return f"channel {channel} is silent and channel {other} is not: try --channel {other}"


def _iter_frames(path: str | Path, info: WavInfo, channel: int) -> Iterator[NDArray[np.int16]]:
    """Yield int16 samples, frames × channels. Raises UserError where there is no `channel`."""
    if not 0 <= channel < info.channels:
        there = "1 channel, number 0" if info.channels == 1 else f"{info.channels} channels, 0 to {info.channels - 1}"
        raise UserError(f"{path}: there is no channel {channel}: it has {there}")
    frame_bytes = info.channels * info.bits // 8
    with Path(path).open("rb") as file:
        file.seek(info.data_at)
        left = info.frames
        while left:
            raw = file.read(min(left, BLOCK_FRAMES) * frame_bytes)
            count = len(raw) // frame_bytes
            if count == 0:  # the file has become shorter since its header was read
                return
            left -= count
            yield _samples(raw[: count * frame_bytes], info)


def read_wav(path: str | Path) -> tuple[bytes, int]:
    """Return channel 0 as int16 PCM, and its rate in Hz. Raises UserError as `wav_info`."""
    return b"".join(iter_wav(path)), wav_info(path).rate


def write_wav(path: str | Path, pcm: bytes, rate: int, channels: int = 1) -> None:
    """Write int16 PCM, channels interleaved. Raises OSError as `open`."""
    with wave.open(str(path), "wb") as out:
        out.setparams((channels, 2, rate, 0, "NONE", ""))
        out.writeframes(pcm)


def wav_header(rate: int) -> Callable[[int | None], bytes]:
    """Return a function that makes the 44 bytes before int16 mono PCM at `rate` Hz.

    Its argument is the length of the PCM in bytes; None where it is not known yet.
    """

    def header(length: int | None) -> bytes:
        size = 0xFFFFFFFF if length is None else length
        riff = 0xFFFFFFFF if length is None else length + 36
        form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
        return struct.pack("<4sI4s4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16) + form + struct.pack("<4sI", b"data", size)

    return header


def _samples(raw: bytes, info: WavInfo) -> NDArray[np.int16]:
    """Return interleaved frames as int16, frames × channels. Floats are clipped; wider integers are cut to 16 bits."""
    if info.is_float:
        floats = np.frombuffer(raw, f"<f{info.bits // 8}").reshape(-1, info.channels)
        whole = np.nan_to_num(floats.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
        return np.round(np.clip(whole, -1, 1 - 2**-15) * 32768).astype("<i2")
    if info.bits == 8:
        eight = np.frombuffer(raw, np.uint8).reshape(-1, info.channels)
        return ((eight.astype(np.int16) - 128) * 256).astype("<i2")
    width = info.bits // 8
    # Little-endian: the two highest bytes are the sample.
    as_bytes = np.frombuffer(raw, np.uint8).reshape(-1, info.channels, width)[:, :, width - 2 :]
    return np.ascontiguousarray(as_bytes).view("<i2")[:, :, 0]
