"""Fades of 10 ms, so that a reply that is cut or resumed makes no click. PCM is int16 mono at 48 kHz."""

from __future__ import annotations

import numpy as np

from webapi.voice_node.events import ROOM_RATE_HZ

FADE_MS = 10


def fade_out(pcm: bytes) -> bytes:
    """The first 10 ms of `pcm` (or all of it, where it is shorter), falling linearly to silence."""
    samples = np.frombuffer(pcm, "<i2")[: FADE_MS * ROOM_RATE_HZ // 1000].astype(np.float64)
    return (samples * np.linspace(1, 0, len(samples), endpoint=False)).astype("<i2").tobytes()


def fade_in(pcm: bytes) -> bytes:
    """All of `pcm`, its first 10 ms rising linearly from silence."""
    first = np.frombuffer(pcm, "<i2")[: FADE_MS * ROOM_RATE_HZ // 1000].astype(np.float64)
    rising = (first * np.linspace(0, 1, len(first), endpoint=False)).astype("<i2").tobytes()
    return rising + pcm[len(rising) :]
