"""Recognises replies that are no raw PCM: played as int16 they would be noise. Pure."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

HEAD = 28  # bytes that tell a container
MP3_FRAME = 2048  # bytes: none is longer
HEAD_BYTES = 2 * MP3_FRAME  # all that `check_pcm` looks at
FLOATS = 64  # samples that tell floats from int16
# The upper half of a float32 from 2**-20 to 1, either sign, read as int16. In PCM each second sample would have to lie
# in these bands for the whole stretch, which no sound does.
EXPONENTS = ((0x3580, 0x3F80), (0x3580 - 0x8000, 0x3F80 - 0x8000))


class NotPcmError(Exception):
    """The reply is something else than raw PCM. The text names it."""


@lru_cache(maxsize=8)  # a bot often says the same, and in a sweep always
def check_pcm(head: bytes, rate: int) -> bool:
    """Raise NotPcmError where the first bytes of a reply show that it is no int16 mono PCM at `rate` Hz.

    False where more bytes than these are needed to say.
    """
    if len(head) < HEAD:
        return False
    what = _container(head) or ("float32 samples" if _is_float(head) else "")
    if what:
        raise NotPcmError(f"the reply is {what}: give raw PCM, int16 mono at {rate} Hz, or set reply_rate")
    return len(head) >= MP3_FRAME or not _mp3_length(head)


def _container(head: bytes) -> str:
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        rate = struct.unpack("<I", head[24:28])[0] if len(head) >= 28 and head[12:16] == b"fmt " else 0
        return f"a WAV file{f' of {rate} Hz' if rate else ''}"
    for name, magic in (("Ogg", b"OggS"), ("FLAC", b"fLaC"), ("MP3", b"ID3"), ("WebM", b"\x1a\x45\xdf\xa3")):
        if head.startswith(magic):
            return f"{'an' if name in ('Ogg', 'MP3') else 'a'} {name} file"
    return "an MP4 file" if head[4:8] == b"ftyp" else "an MP3 file" if _mp3_frames(head) else ""


def _mp3_frames(head: bytes) -> bool:
    """Whether two MPEG frames follow each other: the bytes of one header alone could be soft int16 samples."""
    length = _mp3_length(head)
    return length > 0 and _mp3_length(head[length:]) > 0


def _mp3_length(head: bytes) -> int:
    """Bytes of the MPEG layer III frame whose header this is; 0 where it is none (ISO 11172-3, 2.4.1.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, bits, rate, padding = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or bits in (0, 15) or rate == 3:
        return 0
    kbits = (_KBITS_1 if version == 3 else _KBITS_2)[bits]
    hz = (44_100, 48_000, 32_000)[rate] >> (0 if version == 3 else 1 if version == 2 else 2)
    return (144 if version == 3 else 72) * kbits * 1000 // hz + padding


_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def _is_float(head: bytes) -> bool:
    halves = np.frombuffer(head[: len(head) // 4 * 4], "<i2")
    upper = halves[1::2][halves[1::2] != 0].astype(int)
    if len(upper) < FLOATS:
        return False
    inside = sum((low <= upper) & (upper <= high) for low, high in EXPONENTS)
    return bool(np.mean(inside) > 0.98)
