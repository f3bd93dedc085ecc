"""WAV files of any width, rate and number of channels, in bounded memory.

Written here because Python's `wave` knows no floats and, before 3.12, no WAVE_FORMAT_EXTENSIBLE.
"""

from __future__ import annotations

import struct
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from webapi.voice_node.errors import UserError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
MAX_CHANNELS = 64
RATES_HZ = (1_000, 768_000)  # below and above is no recording of a voice but a broken header
COMPRESSED = {
    2: "Microsoft ADPCM", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3",
}  # fmt: skip
BLOCK_FRAMES = 65_536  # read at a time
ENDLESS = 0x7FFF_0000  # bytes; programs that write to a pipe promise this or more, because they can't know


@dataclass(frozen=True)
class WavInfo:
    """What the header says, and what is really there."""

    rate: int  # Hz
    channels: int
    bits: int
    is_float: bool
    data_at: int  # bytes from the start of the file
    frames: int  # samples a channel that are in the file
    truncated: bool  # the header promises more


def wav_info(path: str | Path) -> WavInfo:
    """Read the header. UserError, naming the file and the reason, for what is not a WAV that can be read."""
    try:
        if Path(path).is_fifo():  # opening one waits for its writer, perhaps for ever
            raise UserError(f"{path}: a pipe, which can be read only once; write it to a file first")
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            return _Header(str(path), file, size).read()
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror}") from None


def iter_wav(path: str | Path) -> Iterator[bytes]:
    """Channel 0 as int16 PCM at the file's own rate, in blocks. A truncated file gives what is there."""
    info = wav_info(path)
    frame_bytes = info.channels * info.bits // 8
    with Path(path).open("rb") as file:
        file.seek(info.data_at)
        left = info.frames
        while left:
            raw = file.read(min(left, BLOCK_FRAMES) * frame_bytes)
            count = len(raw) // frame_bytes
            if count == 0:  # it has become shorter since we looked
                return
            left -= count
            yield _first_channel(raw[: count * frame_bytes], info).tobytes()


def read_wav(path: str | Path) -> tuple[bytes, int]:
    """Channel 0 as int16 PCM, and its rate in Hz. UserError as `wav_info`."""
    return b"".join(iter_wav(path)), wav_info(path).rate


def write_wav(path: str | Path, pcm: bytes, rate: int, channels: int = 1) -> None:
    """Write int16 PCM, channels interleaved."""
    with wave.open(str(path), "wb") as out:
        out.setparams((channels, 2, rate, 0, "NONE", ""))
        out.writeframes(pcm)


def wav_header(rate: int) -> Callable[[int | None], bytes]:
    """The 44 bytes before so many bytes of 16 bit mono PCM; for None, of a length that is not known yet."""

    def header(length: int | None) -> bytes:
        size = 0xFFFFFFFF if length is None else length
        riff = 0xFFFFFFFF if length is None else length + 36
        form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
        return struct.pack("<4sI4s4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16) + form + struct.pack("<4sI", b"data", size)

    return header


def _first_channel(raw: bytes, info: WavInfo) -> NDArray[np.int16]:
    if info.is_float:
        floats = np.frombuffer(raw, f"<f{info.bits // 8}").reshape(-1, info.channels)[:, 0]
        whole = np.nan_to_num(floats.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
        return np.round(np.clip(whole, -1, 1 - 2**-15) * 32768).astype("<i2")
    if info.bits == 8:
        eight = np.frombuffer(raw, np.uint8).reshape(-1, info.channels)[:, 0]
        return ((eight.astype(np.int16) - 128) * 256).astype("<i2")
    width = info.bits // 8
    # Little-endian: the two highest bytes are the sample, cut to 16 bits.
    as_bytes = np.frombuffer(raw, np.uint8).reshape(-1, info.channels, width)[:, 0, width - 2 :]
    return np.ascontiguousarray(as_bytes).view("<i2").ravel()


class _Header:
    """The chunks of a RIFF file, as far as the audio."""

    def __init__(self, name: str, file: BinaryIO, size: int) -> None:
        self._name, self._file, self._size = name, file, size
        self._long = 0  # bytes of audio, of a file that says so in a chunk `ds64`

    def read(self) -> WavInfo:
        if self._size == 0:
            self._refuse("the file is empty")
        head = self._file.read(12)
        if head[:4] == b"RIFX" and head[8:] == b"WAVE":
            self._refuse("a RIFX file, whose bytes are the other way round; make it RIFF: sox in.wav -L out.wav")
        if len(head) < 12 or head[8:] != b"WAVE" or head[:4] not in (b"RIFF", b"RF64", b"BW64"):
            self._refuse("not a WAV file (it does not begin with RIFF … WAVE)")
        form: tuple[int, int, int, int] | None = None
        while True:
            chunk = self._file.read(8)
            if len(chunk) < 8:
                self._refuse("the header ends before any audio" if form else "there is no format in the header")
            name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
            if name == b"fmt ":
                form = self._format(length)
            elif name == b"data":
                if form is None:
                    self._refuse("the audio comes before its format")
                if length or not self._chunk_follows():
                    return self._data(form, length)
            elif name == b"ds64":
                after = self._file.tell() + length + length % 2
                self._long = int.from_bytes(self._file.read(16)[8:], "little")
                self._file.seek(after)
            else:
                self._file.seek(length + length % 2, 1)

    def _chunk_follows(self) -> bool:
        """Whether there is none of the audio that a length of 0 may stand for, but the next chunk: a name, a length."""
        at = self._file.tell()
        following = self._file.read(8)
        self._file.seek(at)
        name, length = following[:4].rstrip(b" "), int.from_bytes(following[4:], "little")
        return len(following) == 8 and name.isalnum() and at + 8 + length <= self._size

    def _format(self, length: int) -> tuple[int, int, int, int]:
        body = self._file.read(min(length, 64))
        if length > len(body):
            self._file.seek(length - len(body), 1)
        if length % 2:
            self._file.seek(1, 1)
        if len(body) < 16:
            self._refuse("the format in the header is cut off")
        code, channels, rate, _, block, bits = struct.unpack("<HHIIHH", body[:16])
        if code == EXTENSIBLE:
            if len(body) < 26:
                self._refuse("the format in the header is cut off: an extensible one has 40 bytes")
            (code,) = struct.unpack("<H", body[24:26])  # the first bytes of the sub-format's GUID
        if code not in (PCM, FLOAT):
            what = f"{COMPRESSED[code]}, format {code:#x}" if code in COMPRESSED else f"format {code:#x}"
            self._refuse(f"its audio is compressed ({what}); make it PCM: sox in.wav -e signed -b 16 out.wav")
        if not 1 <= channels <= MAX_CHANNELS:
            self._refuse(f"{channels} channels; 1 to {MAX_CHANNELS} can be read")
        if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
            self._refuse(f"a rate of {rate} Hz; {RATES_HZ[0]} to {RATES_HZ[1]} can be read")
        if bits not in ((32, 64) if code == FLOAT else (8, 16, 24, 32)):
            self._refuse(f"{bits} bits a sample; 8, 16, 24 and 32 can be read, and floats of 32 and 64")
        if block != channels * bits // 8:
            self._refuse(f"the header contradicts itself: {channels} channels of {bits} bits are not {block} bytes")
        return code, channels, rate, bits

    def _data(self, form: tuple[int, int, int, int], length: int) -> WavInfo:
        code, channels, rate, bits = form
        at = self._file.tell()
        there = max(0, self._size - at)
        length = self._long if length == 0xFFFF_FFFF and self._long else length
        # Written to a pipe, the length is 0 or more than there is of anything: the audio goes to the end of the file.
        unknown = length == 0 or length >= max(ENDLESS, there)
        promised = there if unknown else length
        frames = min(there, promised) // (channels * bits // 8)
        if frames == 0:
            self._refuse("there is no audio in it")
        return WavInfo(rate, channels, bits, code == FLOAT, at, frames, truncated=promised > there)

    def _refuse(self, reason: str) -> NoReturn:
        raise UserError(f"{self._name}: {reason}")
