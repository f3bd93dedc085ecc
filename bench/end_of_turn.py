"""What a decision of each backend of `end_of_turn` costs: processor time, in one process, one decision after another.

    python -m bench.end_of_turn [--model FILE] [--count 60]

The audio is 8 s of a voice at 8 kHz, which is the most that a backend gets. Exit code 1 where the goal is missed: 60 ms
of a core in the median. `smart-turn` needs its extra, and its weights in the package pipecat-ai or in FILE.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from bench.options import whole_number
from tests.speech import babble
from webapi.voice_node.audio_io import resampler
from webapi.voice_node.end_of_turn import BACKENDS, Said, backend_named, needs
from webapi.voice_node.hearing.smart_turn import SAMPLES, features

GOAL_MS = 60.0
RATE = 8000


def times_ms(job: Callable[[], object], count: int) -> list[float]:
    """Processor time of the whole process for each run."""
    job()
    found = []
    for _ in range(count):
        before = time.process_time()
        job()
        found.append((time.process_time() - before) * 1000)
    return found


def shown(name: str, found: list[float]) -> str:
    return f"{name:28} median {statistics.median(found):7.2f} ms   p95 {np.percentile(found, 95):7.2f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="")
    parser.add_argument("--count", type=whole_number, default=60)
    options = parser.parse_args()
    said = Said(
        resampler(48_000, RATE).push(babble(8.5))[-8 * RATE * 2 :], RATE, "I would like to book a table for", ""
    )
    missed = False
    for name in BACKENDS:
        lacking = needs(name, options.model)
        if lacking:
            print(f"{name:28} needs {' and '.join(lacking)}")
            continue
        backend = backend_named(name, model=options.model if name == "smart-turn" else "")
        if backend is None:
            continue
        found = times_ms(lambda backend=backend: backend(said), options.count)  # type: ignore[misc]  # bound at once
        missed |= statistics.median(found) > GOAL_MS
        print(shown(name, found))
    samples = np.random.default_rng(1).normal(0, 0.1, SAMPLES).astype(np.float32)
    print(shown("  of it, the features", times_ms(lambda: features(samples), options.count)))
    up = resampler(RATE, 16_000)
    print(shown("  of it, 8 to 16 kHz", times_ms(lambda: up.push(said.pcm), options.count)))
    print(f"goal: {GOAL_MS:.0f} ms in the median{' MISSED' if missed else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
