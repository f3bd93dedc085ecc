"""The live resampler beside soxr's streams, in one run: what it holds back, what it lets alias, what it costs.

    python -m bench.resample

Then its sums of products alone, written in other ways that give the same numbers: why it is written the way it is.
Rejection is measured on int16 output: "> 100" means that nothing was left. Exit code 1 where a goal is missed: at most
5 ms held back and 60 dB of alias rejection each way. Times are for comparing within this run only.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from webapi.voice_node.audio.fir_resampler import taps
from webapi.voice_node.audio_io import SOXR_QUALITIES, resampler

ROUNDS = 15
REPEATS = 100  # of the sums, in a round
NOTHING_LEFT_DB = 100.0
MAX_LAG_MS = 5.0
MIN_REJECTION_DB = 60.0


@dataclass
class Result:
    """One engine in one direction."""

    engine: str
    rate_in: int
    rate_out: int
    lag_ms: float
    rejection_db: float
    push_us: float = 0.0


def tone(hz: float, rate: int, seconds: float) -> bytes:
    """A loud sine."""
    return np.round(30_000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("<i2").tobytes()


def pushes(pcm: bytes, rate: int, ms: int) -> list[bytes]:
    """The PCM in pieces of so many milliseconds."""
    size = rate * ms // 1000 * 2
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]


def lag_ms(engine: str, rate_in: int, rate_out: int) -> float:
    """The worst delay from a sample going in to it coming out: the filter's own and what waits for the next burst."""
    pcm = np.random.default_rng(1).normal(0, 8000, rate_in).astype("<i2").tobytes()
    stream = resampler(rate_in, rate_out, engine)
    given = taken = 0
    behind_ms = 0.0
    out = b""
    for piece in pushes(pcm, rate_in, 10):
        got = stream.push(piece)
        out += got
        taken += len(piece) // 2
        given += len(got) // 2
        behind_ms = max(behind_ms, 1000 * (taken / rate_in - given / rate_out))
    whole = np.frombuffer(out, "<i2").astype(float)
    other = (
        resampler(rate_in, rate_out, engine, aligned=True) if engine == "fir" else resampler(rate_in, rate_out, engine)
    )
    straight = np.frombuffer(other.push(pcm) + other.flush(), "<i2").astype(float)[: len(whole)]
    shift = int(np.argmax(np.correlate(whole[: len(straight)], straight, "full"))) - (len(straight) - 1)
    return behind_ms + max(0, shift) * 1000 / rate_out


def rejection_db(engine: str, rate_in: int, rate_out: int) -> float:
    """How far the worst alias (down) or image (up) of a set of tones is below the tone."""
    worst = 1e9
    if rate_out < rate_in:
        for hz in (4_100, 4_600, 5_000, 6_000, 7_000, 9_000, 15_000, 22_000):
            stream = resampler(rate_in, rate_out, engine)
            out = np.frombuffer(stream.push(tone(hz, rate_in, 1.0)) + stream.flush(), "<i2").astype(float)[1000:7000]
            worst = min(worst, 20 * np.log10(30_000 / np.sqrt(2) / max(1e-3, float(np.sqrt((out**2).mean())))))
        return worst
    for hz in (300, 1_000, 2_000, 3_000, 3_400):
        stream = resampler(rate_in, rate_out, engine)
        out = np.frombuffer(stream.push(tone(hz, rate_in, 1.0)) + stream.flush(), "<i2").astype(float)[6000:42000]
        spectrum = np.abs(np.fft.rfft(out * np.blackman(len(out))))
        frequency = np.fft.rfftfreq(len(out), 1 / rate_out)
        image = spectrum[frequency > rate_in / 2].max()
        worst = min(worst, 20 * np.log10(spectrum[np.abs(frequency - hz) < 50].max() / image))
    return worst


Floats = NDArray[np.float64]
# Of audio, taps (a column a phase), how many outputs a phase, and how far the input moves on for each.
Sums = Callable[[Floats, Floats, int, int], Floats]


def windows(audio: Floats, length: int, count: int, step: int) -> Floats:
    """Row k is what output k hears, as a view."""
    size = audio.itemsize
    view: Floats = np.ndarray((count, length), np.float64, audio, 0, (step * size, size))
    return view


def by_convolve(audio: Floats, phases: Floats, count: int, step: int) -> Floats:
    """Every `step`-th input, with every `step`-th tap, and all of these added: the textbook's polyphase form."""
    out = np.zeros((count, phases.shape[1]))
    for column in range(phases.shape[1]):
        for first in range(step):
            h = phases[first::step, column]
            out[:, column] += np.convolve(audio[first::step], h[::-1], "valid")[:count]
    return out


def one_by_one(audio: Floats, phases: Floats, count: int, step: int) -> Floats:
    """A product for every output."""
    length = len(phases)
    out: Floats = np.array([audio[at : at + length] @ phases for at in range(0, count * step, step)])
    return out


RUNS = "np.dot on a strided view"
WAYS: dict[str, Sums] = {
    RUNS: lambda x, h, n, step: np.dot(windows(x, len(h), n, step), h),
    "@ on that view": lambda x, h, n, step: np.matmul(windows(x, len(h), n, step), h),
    "@ on a copy of it": lambda x, h, n, step: np.matmul(windows(x, len(h), n, step).copy(), h),
    "np.dot, as_strided": lambda x, h, n, step: np.dot(as_strided(x, (n, len(h)), (8 * step, 8)), h),
    "np.dot, sliding_window_view": lambda x, h, n, step: np.dot(sliding_window_view(x, len(h))[::step][:n], h),
    "np.convolve a phase": by_convolve,
    "a product an output": one_by_one,
}


def sums_table() -> Table:
    """The ways side by side, µs for 10 ms at 48 kHz down to 8, and for 20 ms at 8 kHz up to 48."""
    h = taps(8_000, 48_000)
    up = np.concatenate((h, np.zeros(-len(h) % 6))).reshape(-1, 6)[::-1].copy()
    rng = np.random.default_rng(1)
    jobs: list[tuple[Floats, Floats, int, int]] = []
    for phases, samples, step in ((h[:, None].copy(), 480, 6), (up, 160, 1)):
        audio = rng.integers(-32768, 32768, samples + len(phases) - 1).astype(np.float64)
        jobs.append((audio, phases, samples // step, step))
    times: dict[tuple[str, int], list[float]] = {(way, job): [] for way in WAYS for job in range(len(jobs))}
    order = list(times) * ROUNDS
    random.Random(1).shuffle(order)  # noqa: S311 - as above
    for way, job in order:
        sums = WAYS[way]
        if (sums(*jobs[job]) != WAYS[RUNS](*jobs[job])).any():
            raise AssertionError(f"{way}: other sums")
        start = time.perf_counter()
        for _ in range(REPEATS):
            sums(*jobs[job])
        times[way, job].append((time.perf_counter() - start) / REPEATS * 1e6)
    table = Table("the sums alone", "µs, 10 ms 48 → 8 kHz", "µs, 20 ms 8 → 48 kHz")
    for way in WAYS:
        table.add_row(way, *(f"{statistics.median(times[way, job]):.1f}" for job in range(len(jobs))))
    return table


def main() -> int:
    """Measure, print, and judge the engine that runs live."""
    console = Console()
    engines = ["fir", *SOXR_QUALITIES]
    results = [
        Result(engine, rate_in, rate_out, lag_ms(engine, rate_in, rate_out), rejection_db(engine, rate_in, rate_out))
        for rate_in, rate_out in ((48_000, 8_000), (8_000, 48_000))
        for engine in engines
    ]
    times: dict[int, list[float]] = {id(r): [] for r in results}
    order = results * ROUNDS
    random.Random(1).shuffle(order)  # noqa: S311 - a shuffle so that a slow spell of the machine hits all alike
    for result in order:
        ms = 10 if result.rate_out < result.rate_in else 20
        pieces = pushes(tone(440, result.rate_in, 1.0), result.rate_in, ms)
        stream = resampler(result.rate_in, result.rate_out, result.engine)
        start = time.perf_counter()
        for piece in pieces:
            stream.push(piece)
        times[id(result)].append((time.perf_counter() - start) / len(pieces) * 1e6)
    table = Table("engine", "way", "held back, ms (worst)", "rejection, dB", "µs a push")
    for result in results:
        result.push_us = statistics.median(times[id(result)])
        way = f"{result.rate_in // 1000} → {result.rate_out // 1000} kHz"
        clean = result.rejection_db > NOTHING_LEFT_DB
        rejection = f"> {NOTHING_LEFT_DB:.0f}" if clean else f"{max(0, result.rejection_db):.0f}"
        table.add_row(result.engine, way, f"{result.lag_ms:.1f}", rejection, f"{result.push_us:.1f}")
    console.print(table)
    console.print(sums_table())
    missed = [
        f"{r.engine} {r.rate_in} → {r.rate_out}: {r.lag_ms:.1f} ms, {r.rejection_db:.0f} dB"
        for r in results
        if r.engine == "fir" and (r.lag_ms > MAX_LAG_MS or r.rejection_db < MIN_REJECTION_DB)
    ]
    for line in missed:
        sys.stderr.write(f"goal missed: {line}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
