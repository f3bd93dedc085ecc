"""The mix of a replay: what the caller and the bot said, as a stereo WAV that is written during the replay."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from webapi.voice_node.audio.fir_resampler import Fir
from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ

Mix: TypeAlias = Callable[[bytes, bytes], None]
"""Takes what the caller and the bot said meanwhile: int16 PCM at 48 kHz, both of the same length, at most a second."""

PART = ".part"  # suffix of a mix that is not yet complete
MIX_RATE_HZ = 16_000
DELAY_MS = 2  # of the filter, which is flat up to 6.9 kHz: with 4 ms it would be up to 7.4, and take twice the time
BLOCK_BYTES = ROOM_RATE_HZ * BYTES_PER_SAMPLE  # a second is resampled at once, which takes a tenth of the time


@contextmanager
def mix_into(path: Path) -> Iterator[Mix]:
    """Write a WAV at 16 kHz: channel 0 the caller, 1 the bot. `path` exists once it is complete. OSError as `open`."""
    part = path.with_suffix(PART)
    try:
        with part.open("wb") as raw, wave.open(raw, "wb") as file:  # a Wave_write that can't open its file complains
            file.setparams((2, 2, MIX_RATE_HZ, 0, "NONE", ""))
            mixer = _Mixer(file)
            yield mixer.add
            mixer.finish()
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Mixer:
    """Resamples both sides, in blocks, and writes them interleaved."""

    def __init__(self, file: wave.Wave_write) -> None:
        self._file = file
        self._sides = [Fir(ROOM_RATE_HZ, MIX_RATE_HZ, aligned=True, delay_ms=DELAY_MS) for _ in range(2)]
        self._held: tuple[list[bytes], list[bytes]] = ([], [])
        self._held_bytes = 0  # of one side

    def add(self, caller: bytes, bot: bytes) -> None:
        self._held[0].append(caller)
        self._held[1].append(bot)
        self._held_bytes += len(caller)
        if self._held_bytes >= BLOCK_BYTES:
            self._write_held()

    def finish(self) -> None:
        self._write_held()
        self._write([side.flush() for side in self._sides])

    def _write_held(self) -> None:
        self._write([side.push(b"".join(held)) for side, held in zip(self._sides, self._held, strict=True)])
        for held in self._held:
            held.clear()
        self._held_bytes = 0

    def _write(self, pieces: list[bytes]) -> None:
        both = np.empty((len(pieces[0]) // BYTES_PER_SAMPLE, 2), "<i2")
        for side, piece in enumerate(pieces):
            both[:, side] = np.frombuffer(piece, "<i2")
        self._file.writeframesraw(both.tobytes())
