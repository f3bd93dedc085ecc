"""The loudness of both sides of a mix, column by column, from which its waveform is drawn."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COLUMN_MS = 10
MAX_COLUMNS = 360_000  # an hour; of a longer mix the columns are wider
SIDES = 2  # caller, bot


@dataclass(frozen=True)
class Outline:
    """The peaks of a mix."""

    seconds: float  # length of the mix
    column_s: float  # seconds a column
    peaks: NDArray[np.uint8]  # shape (side, column): the largest sample there, 255 for full scale

    def within(self, side: int, start: float, end: float) -> int:
        """Return the largest peak between two times (s); 0 after the end of the mix."""
        first = int(start / self.column_s)
        part = self.peaks[side, first : max(first + 1, round(end / self.column_s))]
        return int(part.max()) if part.size else 0


def read_outline(path: Path) -> Outline:
    """Read a 16 bit stereo WAV, 1000 columns at a time. Raises OSError as `open`."""
    with wave.open(str(path), "rb") as mix:
        rate, total = mix.getframerate(), mix.getnframes()
        column = rate * COLUMN_MS // 1000
        column *= max(1, -(-total // (column * MAX_COLUMNS)))
        pieces = [np.zeros((SIDES, 0), np.int32)]
        while raw := mix.readframes(column * 1000):
            samples = np.frombuffer(raw, "<i2").reshape(-1, SIDES).T
            padded = np.zeros((SIDES, -(-samples.shape[1] // column) * column), np.int16)
            padded[:, : samples.shape[1]] = samples
            columns = padded.reshape(SIDES, -1, column)
            pieces.append(np.maximum(columns.max(axis=2).astype(np.int32), -columns.min(axis=2).astype(np.int32)))
    peaks = np.minimum(np.concatenate(pieces, axis=1) // 128, 255).astype(np.uint8)
    return Outline(total / rate, column / rate, peaks)
