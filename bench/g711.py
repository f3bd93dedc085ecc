"""G.711 mu-law (ITU-T G.711): the code of telephones, eight bits a sample at 8 kHz."""

from __future__ import annotations

import numpy as np

BIAS, CLIP = 0x84, 32635


def encode(pcm: bytes) -> bytes:
    """Code int16 samples, a byte each."""
    samples = np.frombuffer(pcm, "<i2").astype(np.int32)
    sign = np.where(samples < 0, 0x80, 0)
    size = np.minimum(np.abs(samples), CLIP) + BIAS
    exponent = np.floor(np.log2(size)).astype(np.int32) - 7
    mantissa = (size >> (exponent + 3)) & 0x0F
    return bytes((~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8))


def decode(coded: bytes) -> bytes:
    """Return the int16 samples of such bytes."""
    codes = ~np.frombuffer(coded, np.uint8).astype(np.int32)
    size = ((((codes & 0x0F) << 3) + BIAS) << ((codes & 0x70) >> 4)) - BIAS
    return np.where(codes & 0x80, -size, size).astype("<i2").tobytes()
