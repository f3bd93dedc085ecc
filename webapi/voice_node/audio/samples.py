"""Conversions between PCM bytes, int16 samples and float samples. PCM is little-endian int16, mono."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 32768.0
Float: TypeAlias = NDArray[np.float32]
Int: TypeAlias = NDArray[np.int16]


def whole_samples(held: bytes, pcm: bytes) -> tuple[Int, bytes]:
    """Return the samples in `held + pcm`, and the half sample that is left: a byte to hold until the next, or none."""
    if held:
        pcm = held + pcm
    if len(pcm) % 2:
        return np.frombuffer(pcm[:-1], "<i2"), pcm[-1:]
    return np.frombuffer(pcm, "<i2"), b""


def to_float(samples: Int) -> Float:
    """Return int16 samples as floats from -1 to 1, exactly."""
    floats: Float = samples.astype(np.float32) / np.float32(FULL_SCALE)
    return floats


def to_int16(samples: Float) -> Int:
    """Return floats from -1 to 1 as int16, rounded half to even, clipped. (soxr's own int16 is dithered at random.)"""
    whole: Int = np.clip(np.round(samples * np.float32(FULL_SCALE)), -32768, 32767).astype("<i2")
    return whole
