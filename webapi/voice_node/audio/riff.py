"""Reads the header of a WAV file, as far as the audio.

Written here because Python's `wave` knows no floats and, before 3.12, no WAVE_FORMAT_EXTENSIBLE.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from webapi.voice_node.errors import UserError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
MAX_CHANNELS = 64
RATES_HZ = (1_000, 768_000)  # a rate below or above is no recording of a voice but a broken header
COMPRESSED = {
    2: "Microsoft ADPCM", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3",
}  # fmt: skip
CHUNKS = (  # names that a chunk after one without its pad byte is known by
    b"fmt ", b"data", b"LIST", b"fact", b"bext", b"cue ", b"smpl", b"inst", b"JUNK", b"junk", b"PAD ", b"PEAK", b"iXML",
    b"id3 ", b"ID3 ", b"_PMX", b"RIFF", b"FLLR", b"chna", b"axml", b"plst", b"cart", b"acid", b"DISP", b"note", b"labl",
)  # fmt: skip
ENDLESS = 0x7FFF_0000  # bytes; programs that write to a pipe promise this or more, because they can't know


@dataclass(frozen=True)
class WavInfo:
    """What the header says, and how much audio the file has."""

    rate: int  # Hz
    channels: int
    bits: int
    is_float: bool
    data_at: int  # start of the audio: bytes from the start of the file
    frames: int  # samples of each channel that are in the file
    truncated: bool  # the header promises more frames


class WavHeader:
    """Reads the chunks of a RIFF file up to the audio. `name` is for errors; `size` is the file's, in bytes."""

    def __init__(self, name: str, file: BinaryIO, size: int) -> None:
        self._name, self._file, self._size = name, file, size
        self._long = 0  # bytes of audio, where a chunk `ds64` says so

    def read(self) -> WavInfo:
        """Return what the header says. Raises UserError, with name and reason, for what can't be read."""
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
                at = self._file.tell()
                self._long = int.from_bytes(self._file.read(16)[8:], "little")
                self._file.seek(at)
                self._skip(length)
            else:
                self._skip(length)

    def _skip(self, length: int) -> None:
        """Go to the chunk after one of `length` bytes. One of odd length has a pad byte, which some programs forget."""
        self._file.seek(length, 1)
        if length % 2:
            at = self._file.tell()
            if self._file.read(4) not in CHUNKS:
                self._file.seek(at + 1)
            else:
                self._file.seek(at)

    def _chunk_follows(self) -> bool:
        """Whether the next chunk follows: a length of 0 then means no audio, and else that the length is not known."""
        at = self._file.tell()
        following = self._file.read(8)
        self._file.seek(at)
        name, length = following[:4].rstrip(b" "), int.from_bytes(following[4:], "little")
        return len(following) == 8 and name.isalnum() and at + 8 + length <= self._size

    def _format(self, length: int) -> tuple[int, int, int, int]:
        """Read the chunk `fmt `: format, channels, rate in Hz, bits a sample."""
        at = self._file.tell()
        body = self._file.read(min(length, 64))
        self._file.seek(at)
        self._skip(length)
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
        """Return the result, at the start of the audio. `length` is the audio's in bytes, as the header says."""
        code, channels, rate, bits = form
        at = self._file.tell()
        there = max(0, self._size - at)
        length = self._long if length == 0xFFFF_FFFF and self._long else length
        # In a file that was written to a pipe, the length is 0 or huge: the audio then goes to the end of the file.
        unknown = length == 0 or length >= max(ENDLESS, there)
        promised = there if unknown else length
        frames = min(there, promised) // (channels * bits // 8)
        if frames == 0:
            self._refuse("there is no audio in it")
        if not unknown:
            self._refuse_more_audio(at, length)
        return WavInfo(rate, channels, bits, code == FLOAT, at, frames, truncated=promised > there)

    def _refuse_more_audio(self, at: int, length: int) -> None:
        """Refuse a file with audio after its chunk `data`, which would be left out: a second one, or a second WAV."""
        self._file.seek(at)
        self._skip(length)
        while len(chunk := self._file.read(8)) == 8:
            if chunk[:4] == b"data":
                self._refuse("it has two chunks of audio (`data`), and only one can be read; save it as one")
            if chunk[:4] == b"RIFF" and self._file.read(4) == b"WAVE":
                self._refuse("a second WAV follows in the same file; make a file of each")
            if not chunk[:4].rstrip(b" ").isalnum():  # no chunk: what a program left at the end
                return
            self._skip(int.from_bytes(chunk[4:], "little"))

    def _refuse(self, reason: str) -> NoReturn:
        raise UserError(f"{self._name}: {reason}")
