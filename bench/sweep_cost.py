"""What a sweep costs, in replays of its recording.

    python -m bench.sweep_cost [--minutes 5] [--voices en] [--rounds 3] [--backend confirm] [--wav FILE]
                               [--pauses 0.5 6]

A grid of 60 cells over so many minutes of real prompts with pauses between them (of Debian's packages
asterisk-core-sounds-LANG-wav), or over a recording of yours. In each round: one replay, a sweep that keeps nothing on
disk, and one that finds on disk what it kept before; shuffled, in processor time of one process. The rows of the first
and the last cell are compared with those of whole replays. Exit code 1 where the median of the ratios is above GOAL, or
a row is another one.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.hearing.voices import RATE_HZ, prompts
from bench.options import whole_number
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.replay.sweep.corpus import find_corpus
from webapi.voice_node.replay.sweep.grid import cells
from webapi.voice_node.replay.sweep.rows import facts, row
from webapi.voice_node.replay.sweep.run import sweep
from webapi.voice_node.replay.wav_replay import replay

GOAL = 3.0  # replays
GRID = ("VAD_SPEECH_START_FRAMES=4..8", "VAD_SPEECH_END_FRAMES=8,10,12,15,20,25", "VAD_PREROLL_MS=100,240")
PAUSES_S = (0.5, 6.0)  # some twelve turns a minute, as in bench.replay: a caller who is answered
SEED = 1


def write_talk(path: Path, minutes: float, language: str, pauses_s: tuple[float, float] = PAUSES_S) -> None:
    """Write prompts in any order, with pauses between them."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    pieces: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    length = 0
    while length < minutes * 60 * RATE_HZ:
        for prompt in chance.sample(prompts(language), len(prompts(language))):
            pieces += [prompt.samples, np.zeros(round(chance.uniform(*pauses_s) * RATE_HZ))]
            length += len(pieces[-2]) + len(pieces[-1])
    pcm = np.round(np.concatenate(pieces)[: round(minutes * 60 * RATE_HZ)] * 32767).astype("<i2").tobytes()
    write_wav(path, pcm, RATE_HZ)


def taken(work: Callable[[], object]) -> float:
    """How much time of the processor it takes: others who are at work don't count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(wav: Path, rounds: int, backend: str) -> tuple[float, bool]:
    """Print a table. Returns the median ratio of a sweep that finds nothing on disk, and whether the rows are right."""

    def load(point: Mapping[str, str]) -> Settings:
        return load_settings(None, **{"vad_backend": backend, **{name.lower(): value for name, value in point.items()}})

    corpus, grid = find_corpus([str(wav)], None), cells(GRID, [], load)
    settings = grid[len(grid) // 2].settings
    graph = grid[len(grid) // 2].graph
    rows = sweep(corpus, grid, 1).rows  # also fills the cache, and warms up
    ways: dict[str, Callable[[], object]] = {
        "one replay": lambda: replay(wav, graph, settings),
        "a sweep": lambda: sweep(corpus, grid, 1, keep=False),
        "a sweep that was heard before": lambda: sweep(corpus, grid, 1),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in random.sample(list(ways), len(ways)):
            times[name].append(taken(ways[name]))
    ones = times["one replay"]
    ratios = {name: statistics.median(a / b for a, b in zip(each, ones, strict=True)) for name, each in times.items()}
    minutes = corpus[0].seconds / 60
    density = f"{rows[0]['starts'] / minutes:.0f} turns a minute"
    table = Table("", "s", "replays", title=f"{len(grid)} cells, {minutes:.1f} minutes, {density}, {backend}")
    for name, each in times.items():
        table.add_row(name, f"{statistics.median(each):.2f}", f"{ratios[name]:.2f}")
    Console().print(table)
    right = all(
        {**row(cell.values, [facts(replay(wav, cell.graph, cell.settings), None)]), "best": None}
        == {**of_cell, "best": None}
        for cell, of_cell in ((grid[0], rows[0]), (grid[-1], rows[-1]))
    )
    return ratios["a sweep"], right


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--voices", default="en")
    parser.add_argument("--rounds", type=whole_number, default=3)
    parser.add_argument("--backend", default="confirm")
    parser.add_argument("--wav", type=Path)
    parser.add_argument("--pauses", type=float, nargs=2, default=PAUSES_S, help="the shortest and the longest, in s")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # the user's own cache stays as it is
        wav = given.wav or Path(folder) / "talk.wav"
        if not given.wav:
            write_talk(wav, given.minutes, given.voices, tuple(given.pauses))
        ratio, right = measure(wav, given.rounds, given.backend)
    print(f"goal: {GOAL} replays{'' if ratio <= GOAL else ': missed'}; rows: {'right' if right else 'WRONG'}")
    return 0 if ratio <= GOAL and right else 1


if __name__ == "__main__":
    sys.exit(main())
