"""Compare the replays of two checkouts byte by byte: for a change that must not change behaviour.

    python -m bench.same_bytes BEFORE [AFTER] [--calls FOLDER] [--keep DIR]

Replays several WAVs through every graph with some settings, and the recorded calls in each FOLDER (--calls may be
repeated), also against another graph and another setting. AFTER is this checkout unless it is named. Both sides run in
this Python. Each command runs in the folder that it writes, so no `.env` is read and the file of a `tap` is compared
too. The exit code is 1 where a file differs; timeline.html may differ, because it contains the scripts of the page.
With --keep, DIR keeps the outputs of BEFORE for the next run, and those outputs of AFTER that differ. Remove DIR when
BEFORE or the recordings change.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tests.speech import RATE_HZ, chatter, silence, vowel

SAID = Path("said.txt")  # what a command printed, and its exit code; missing where the command crashed
AROUND = 60  # bytes shown before and behind the first one that differs
TALK = {  # seconds of silence and of a voice in turn, the WAV's rate, its channels
    "barge-in": ((0.4, 0.8, 1.5, 0.7, 1.3, 0.6, 1.5), vowel, 48_000, 1),
    "words": ((0.4, 1.4, 2.0, 1.6, 0.9, 1.2, 1.5), chatter, 48_000, 2),
    "coughs": ((0.3, 0.8, 1.0, 0.2, 0.8, 0.15, 0.7, 0.9, 2.0), vowel, 44_100, 2),
    "pauses": ((0.3, 1.0, 0.3, 0.8, 0.25, 1.4, 0.35, 1.2, 1.5), chatter, 16_000, 1),
    "quiet": ((0.2, 0.5, 11.0, 0.6), vowel, 8_000, 1),  # ends in the middle of a word
}
OF_ALL = ("--set MOCK_REPLY=tone:6 --set VAD_BACKEND=webrtc", "--set MOCK_REPLY=tone:1.5 --set VAD_BACKEND=confirm")
BESIDES = (
    "default --set MOCK_REPLY=echo --set VAD_BACKEND=webrtc",
    "default --set MOCK_REPLY=tone:4 --set VAD_BACKEND=silero --set AUDIO_FRAME_MS=10 --set VAD_PREROLL_MS=100",
    "default --set MOCK_REPLY=tone:4 --set VAD_BACKEND=webrtc --set ECHO_CANCEL=always",
    "default --set MOCK_REPLY=tone:4 --set VAD_BACKEND=webrtc --against patient",
    "conversation --set MOCK_REPLY=echo --set VAD_BACKEND=confirm --set MOCK_THINK_MS=2000",
    "cough --set MOCK_REPLY=echo --set VAD_BACKEND=webrtc --set AUDIO_TARGET_RATE=16000",
)
OF_CALLS = ("", "--against cough", "--against VAD_SPEECH_END_FRAMES=20", "--orchestrator live")


def write_wavs(folder: Path, checkout: Path) -> list[str]:
    """Write those of TALK. Their paths, as a command's folder sees them, and those that the checkout has."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (seconds, voice, rate, channels) in TALK.items():
        pcm = b"".join((voice if i % 2 else silence)(length) for i, length in enumerate(seconds))
        at = np.arange(len(pcm) // 2 * rate // RATE_HZ) * (RATE_HZ / rate)
        heard = np.round(np.interp(at, np.arange(len(pcm) // 2), np.frombuffer(pcm, "<i2"))).astype("<i2")
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setparams((channels, 2, rate, 0, "NONE", ""))
            file.writeframes(np.stack([heard, heard[::-1]][:channels], axis=1).tobytes())
    own = sorted([*checkout.glob("docs/examples/*.wav"), *checkout.glob("graphs/prompts/*.wav")])
    return [*map(str, own), *(f"../../{folder.name}/{name}.wav" for name in TALK)]


def commands(graphs: list[Path], wavs: list[str], calls: list[str]) -> dict[str, list[str]]:
    """Return the arguments of each replay command by its name, which is also the name of its folder."""
    heard = [*(f"{graph.stem} {each}" for each in OF_ALL for graph in graphs), *BESIDES]
    found = {each.replace("--set ", "").replace(":", "-"): [*wavs, "--graph", *each.split()] for each in heard}
    return found | {f"calls {more}".strip(): [*calls, *more.split()] for more in OF_CALLS if calls}


def run(checkout: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package of that checkout."""
    there = {**os.environ, "PYTHONPATH": str(checkout)}
    return subprocess.run([sys.executable, *words], cwd=folder, env=there, capture_output=True, text=True, check=False)


def replay(checkout: Path, out: Path, words: list[str]) -> None:
    """Run the command and write its output to SAID; where it crashed, print the output to stderr instead."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    done = run(checkout, out, "-m", "webapi.voice_node.main", "replay", *words, "--out", ".", "--jobs", "1")
    said = f"{done.stdout}\n{done.stderr}\nexit code {done.returncode}\n"
    if done.returncode not in (0, 1) or "Traceback" in done.stderr or not any(out.rglob("events.jsonl")):
        print(f"{checkout}, {out.name}: {said[-2000:]}", file=sys.stderr)
    else:
        (out / SAID).write_text(said, encoding="utf-8")


def difference(before: Path, after: Path) -> str:
    """Describe the first difference of two files; "" where they are the same."""
    if not (before.exists() and after.exists()):
        return f"there is {before.exists():d} before and {after.exists():d} after"
    old, new = before.read_bytes(), after.read_bytes()
    if old == new:
        return ""
    at = next((i for i, (was, now) in enumerate(zip(old, new, strict=False)) if was != now), min(len(old), len(new)))
    if before.suffix == ".wav":
        return f"byte {at}, of {len(old)} before and {len(new)} after"
    start, line = max(at - AROUND, old.rfind(b"\n", 0, at) + 1), old.count(b"\n", 0, at) + 1
    texts = (text[start : at + AROUND].split(b"\n")[0].decode("utf-8", "replace") for text in (old, new))
    return "\n      ".join((f"line {line}, before and after:", *texts))


def compare(before: Path, after: Path) -> list[str]:
    """Return a row for each folder with files; it begins with `same` where all its files are the same."""
    files = {path.relative_to(side) for side in (before, after) for path in side.rglob("*") if path.is_file()} | {SAID}
    rows = []
    for folder in sorted({path.parent for path in files}):
        found = {path.name: difference(before / path, after / path) for path in files if path.parent == folder}
        told = " (but timeline.html)" if found.pop("timeline.html", "") else ""
        differs = [f"\n    {name}: {how}" for name, how in sorted(found.items()) if how]
        what = f"{before.name}: {folder if folder.name else 'what it said'}{told}"
        rows.append(f"{'DIFFERS' if differs else 'same':8}{what}{''.join(differs)}")
    return rows


def main() -> int:
    """Replay on both sides, compare, count."""
    parser = argparse.ArgumentParser(prog="python -m bench.same_bytes")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, nargs="?", default=Path(__file__).parent.parent)
    parser.add_argument("--calls", type=Path, action="append", default=[])
    parser.add_argument("--keep", type=Path)
    given = parser.parse_intermixed_args()
    before, after = given.before.resolve(), given.after.resolve()
    for checkout in (before, after):
        place = run(checkout, checkout, "-c", "import webapi.voice_node as node; print(node.__file__)").stdout
        if not place.startswith(f"{checkout}{os.sep}"):
            parser.error(f"{checkout}: its package can't be imported")
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        work = (given.keep or Path(scratch)).resolve()
        calls = [str(path.resolve()) for path in given.calls]
        todo = commands(sorted(before.glob("graphs/*.yaml")), write_wavs(work / "wavs", before), calls)

        def both(name: str) -> list[str]:
            sides = work / "before" / name, work / "after" / name
            if not (sides[0] / SAID).exists():
                replay(before, sides[0], todo[name])
            replay(after, sides[1], todo[name])
            rows = compare(*sides)
            for side in sides[bool(given.keep) :] if all(row.startswith("same") for row in rows) else ():
                shutil.rmtree(side)
            return rows

        right = []
        for row in (row for rows in pool.map(both, todo) for row in rows):
            print(row, flush=True)
            right.append(row.startswith("same"))
    print(f"{sum(right)} of {len(right)} the same; {len(todo)} commands on each side")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
