"""How fast a replay is beside a pipecat pipeline that hears the same caller through the same detector.

    python -m bench.pipecat [--minutes 5] [--venv DIR]

pipecat goes into an environment of its own, made on first use: 500 MB, in the user's cache or in DIR.

All read one WAV in 10 ms chunks of 48 kHz, resample it to 8 kHz, cut 20 ms frames, ask webrtcvad in mode 3, and find
where the caller starts (6 voiced frames) and stops (10 that are not).

- `graph`: `replay` of graphs/default.yaml. It also answers every turn with a 3 s tone through the speaker, cuts it
  where the caller talks over it, and notes events and metrics, all in virtual time.
- `graph, only listening`: `replay` of graphs/vad-only.yaml. What pipecat does here, and events and metrics.
- `pipecat`: its VADProcessor with a VADAnalyzer as its documentation has it, at its best public settings: no queues
  between processors (direct mode), no observers, no metrics, no timers, no pacing. It answers nothing. The resampler
  is that of its LiveKit transport. Its base class sends every frame to a thread and measures its loudness.
- `pipecat, trimmed`: the same without thread and loudness. That takes overriding private methods of its base class.

Rounds of all four, shuffled, in one run; the median of the rounds' ratios. Imports and start-up are not timed.
Exit code 1 where `graph` is not GOAL times as fast as `pipecat`, or where they do not agree about the turns.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.options import whole_number
from bench.replay import TALK
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.files.user_cache import cache_dir
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.replay.wav_replay import replay

GOAL = 5.0
ROUNDS = 5
PIPECAT = "1.14.0"
SCRIPT = Path(__file__).with_name("pipecat_pipeline.py")

Run = Callable[[], tuple[float, int]]  # gives seconds and turns


def environment(folder: Path) -> Path:
    """pipecat's own Python, in `folder`; made, and pipecat installed, where that is not done yet."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = [f"pipecat-ai=={PIPECAT}", f"webrtcvad-wheels=={importlib.metadata.version('webrtcvad-wheels')}"]
    holds = folder / "made-for-pipecat"
    if folder.exists() and any(folder.iterdir()) and not holds.exists():
        sys.exit(f"{folder} has something in it that this bench did not make. Name another folder with --venv.")
    folder.mkdir(parents=True, exist_ok=True)
    holds.touch()
    if holds.read_text().split() != wanted:
        print(f"{' '.join(wanted)} into {folder}, once: some minutes", file=sys.stderr)
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted]
        if subprocess.run(install, check=False).returncode:
            sys.exit(f"pip could not install {' '.join(wanted)}: it says why above")
        holds.write_text("\n".join(wanted))
    return python


def ours(name: str, path: Path) -> Run:
    """A replay through the graph of that name."""
    settings = load_settings(None, mock_reply="tone:3", vad_backend="webrtc")
    graph = load_graph(name, settings)

    def run() -> tuple[float, int]:
        start = time.perf_counter()
        events = replay(path, graph, settings).events
        return time.perf_counter() - start, sum(event["event"] == "speech_started" for event in events)

    return run


def theirs(way: str, peer: subprocess.Popen[str]) -> Run:
    """A run in pipecat's process, which takes the time itself."""

    def run() -> tuple[float, int]:
        assert peer.stdin
        assert peer.stdout
        print(way, file=peer.stdin, flush=True)
        line = peer.stdout.readline()
        if not line:
            sys.exit("pipecat's side ended: it says why above")
        answer = json.loads(line)
        return answer["seconds"], answer["starts"]

    return run


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=whole_number, default=5)
    parser.add_argument("--venv", type=Path, default=cache_dir() / "pipecat", help="where pipecat is, or goes to")
    options = parser.parse_args()
    if sys.version_info < (3, 11):
        parser.error(f"pipecat {PIPECAT} needs Python 3.11 or later, and this is {sys.version.split()[0]}")
    python = environment(options.venv)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talk.wav"
        write_wav(path, TALK * (6 * options.minutes), 48_000)
        command = [python, "-I", SCRIPT, path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            runs = {
                "graph": ours("default", path),
                "graph, only listening": ours("vad-only", path),
                "pipecat": theirs("public", peer),
                "pipecat, trimmed": theirs("trimmed", peer),
            }
            turns = {name: run()[1] for name, run in runs.items()}  # and all is warm
            times: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(ROUNDS):
                for name in random.sample(list(runs), len(runs)):
                    times[name].append(runs[name]()[0])
    table = Table("", "× real time (median)", "turns", "the graph's speed by it", title=f"{options.minutes} minutes")
    ratios = {}
    for name, taken in times.items():
        ratios[name] = statistics.median(a / b for a, b in zip(taken, times["graph"], strict=True))
        speed = options.minutes * 60 / statistics.median(taken)
        table.add_row(name, f"{speed:.0f}", str(turns[name]), f"{ratios[name]:.2f}")
    Console().print(table)
    same = max(turns.values()) - min(turns.values()) <= 0.02 * turns["graph"]
    print(f"the graph is {ratios['pipecat']:.2f} times as fast as pipecat (goal: {GOAL})")
    if not same:
        print("they do not agree about the turns: this compares nothing")
    return 0 if ratios["pipecat"] >= GOAL and same else 1


if __name__ == "__main__":
    sys.exit(main())
