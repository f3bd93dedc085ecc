"""What `replay --out` costs beside the replay itself: memory, sizes, and time of the processor.

    python -m bench.replay_out [--minutes 10]

Ten minutes of talk with replies, replayed without and with output in turn, RUNS times, each in a process of its own; of
the times the least counts, as a busy machine only adds. Exit code 1 where the files and pages cost more than MOST_COST
times the replay itself, the memory is above MOST_MB or the page above MOST_PAGE_MB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench.options import whole_number
from bench.replay import TALK
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.replay.output import write_output
from webapi.voice_node.replay.wav_replay import replay

MOST_COST, MOST_MB, MOST_PAGE_MB = 0.5, 150, 5
RUNS = 5


def cost(wav: Path, out: Path | None) -> tuple[float, float]:
    """Replay in this process: seconds of the processor, and the largest memory in MB."""
    settings = load_settings(None, mock_reply="tone:3", vad_backend="webrtc")
    graph = load_graph("default", settings)
    began = time.process_time()
    if out:
        write_output(out, lambda mix, taps: replay(wav, graph, settings, mix, taps=taps))
    else:
        replay(wav, graph, settings)
    return time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=whole_number, default=10)
    minutes = parser.parse_args().minutes
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        wav, out = Path(folder) / "talk.wav", Path(folder) / "out"
        write_wav(wav, TALK * (minutes * 6), 48_000)
        runs: dict[Path | None, list[tuple[float, float]]] = {None: [], out: []}
        for to in [*runs] * RUNS:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                runs[to].append(pool.apply(cost, (wav, to)))
        plain, written = (tuple(min(column) for column in zip(*of_one, strict=True)) for of_one in runs.values())
        for name, (seconds, megabytes) in (("replay", plain), ("replay --out", written)):
            console.print(f"{name:14} {seconds:6.2f} s  {megabytes:6.0f} MB")
        share = written[0] / plain[0] - 1
        console.print(f"the files and pages cost {share:.2f} × the replay itself")
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(out.iterdir())}
        for file, size in sizes.items():
            console.print(f"{file:14} {size:6.2f} MB")
    met = share <= MOST_COST and written[1] <= MOST_MB and sizes["timeline.html"] <= MOST_PAGE_MB
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
