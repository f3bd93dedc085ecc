"""How much of a plain loop's throughput the whole graph keeps, over ten minutes of talk with replies.

    python -m bench.replay [--minutes 10]

The plain loop does what cannot be done without, on each chunk as it comes: the same resampler, framing and detector.
The graph does that (resampling a window at a time) and turn-taking, replies, the speaker, the taps and virtual time.
Once with the detector webrtc, and once with the one that `make run` gives. Pairs, shuffled, in one run; the median of
the ratios. Exit code 1 below GOAL, which is for webrtc: beside a detector that takes longer, the graph weighs less.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.options import whole_number
from tests.speech import silence, vowel
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.audio_io import Framer, resampler
from webapi.voice_node.config import load_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.hearing import silero
from webapi.voice_node.replay.wav_replay import chunks, replay
from webapi.voice_node.vad import VoiceActivityDetector

GOAL = 0.7
PAIRS = 5
TALK = silence(1.0) + vowel(1.5) + silence(2.5) + vowel(0.8) + silence(4.2)  # a barge-in every ten seconds


def plain(path: Path, backend: str) -> int:
    """The loop. Returns the voiced frames, so that nothing is left undone."""
    stream, framer, detector = resampler(48_000, 8_000), Framer(320), VoiceActivityDetector(backend)
    return sum(detector.is_speech(f) for chunk in chunks(path) for f in framer.push(stream.push(chunk)))


def seconds(work: Callable[[], object]) -> float:
    """How much time of the processor it takes: others who are at work don't count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(path: Path, backend: str, minutes: int) -> float:
    """Both ways with a detector, PAIRS times: print a table; the ratio."""
    settings = load_settings(None, mock_reply="tone:3", vad_backend=backend)
    graph = load_graph("default", settings)
    turns = len(replay(path, graph, settings).metrics)
    times: dict[str, list[float]] = {"plain": [], "graph": []}
    for _ in range(PAIRS):
        both: list[tuple[str, Callable[[], object]]] = [
            ("plain", lambda: plain(path, backend)),
            ("graph", lambda: replay(path, graph, settings)),
        ]
        random.shuffle(both)
        for name, work in both:
            times[name].append(seconds(work))
    ratio = statistics.median(a / b for a, b in zip(times["plain"], times["graph"], strict=True))
    table = Table(
        "", "× real time", "µs for 10 ms", title=f"{backend}: {minutes} minutes, {turns} turns; medians of {PAIRS}"
    )
    for name, taken in times.items():
        median = statistics.median(taken)
        table.add_row(name, f"{minutes * 60 / median:.0f}", f"{median * 1e6 / (minutes * 60 * 100):.1f}")
    console = Console()
    console.print(table)
    console.print(f"{backend}: the graph keeps {ratio:.2f} of the plain loop's throughput\n")
    return ratio


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=whole_number, default=10)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talk.wav"
        write_wav(path, TALK * (6 * minutes), 48_000)
        ratio = measure(path, "webrtc", minutes)
        if silero.installed():
            measure(path, "confirm", minutes)
    met = ratio >= GOAL
    Console().print(f"goal: {GOAL} with webrtc{'' if met else ': missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
