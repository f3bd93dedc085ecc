"""Does the bot's own voice, coming back from a loudspeaker, interrupt it? And is a real caller still found over it?

    python -m bench.echo [--seconds 100] [--seed 1] [--bot en] [--callers it ru]

The default graph as it answers calls, in virtual time, with a simulated room (echo_room.py: 40 ms of reverberation,
some noise). The bot reads prompts of one voice for `--seconds` in each room, and nobody speaks; then callers with other
voices talk over it every few seconds, as loud as the bot and at half of that. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.echo_room import RATE_HZ, Room, call
from bench.hearing.voices import prompts
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import BargeIn, Event, PlaybackEnded, PlaybackStarted
from webapi.voice_node.fir import Fir
from webapi.voice_node.graph import load_graph
from webapi.voice_node.wav import write_wav

ROOMS = [(late_ms, gain_db) for gain_db in (-10.0, -20.0) for late_ms in (60, 120, 250)]
LOUDNESS = 0.1  # RMS of the bot's voice where it speaks; full scale is 1
NOISE = 0.0003  # RMS of the room
FOUND_S = 0.3  # an interruption later than that is none
GOAL_FOUND = 0.85
Samples = NDArray[np.float64]


def at_48k(samples: Samples) -> Samples:
    """From the prompts' 8 kHz."""
    pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    up = Fir(8_000, RATE_HZ, aligned=True)
    return np.frombuffer(up.push(pcm) + up.flush(), "<i2") / 32768


def reading(language: str, seconds: float, seed: int) -> Samples:
    """Prompts one after the other, with short pauses."""
    rng = np.random.default_rng(seed)
    parts: list[Samples] = []
    while sum(map(len, parts)) < seconds * RATE_HZ:
        prompt = prompts(language)[rng.integers(len(prompts(language)))]
        parts += [at_48k(prompt.samples * LOUDNESS / prompt.rms), np.zeros(int(rng.uniform(0.1, 0.5) * RATE_HZ))]
    return np.concatenate(parts)[: int(seconds * RATE_HZ)]


def callers(language: str, seconds: float, gain: float, seed: int) -> tuple[Samples, list[float]]:
    """A prompt every six seconds, and when each begins. The first one is the question that the bot answers."""
    rng = np.random.default_rng(seed)
    out, onsets, at = np.zeros(int(seconds * RATE_HZ)), [], 0.5
    while at + 6 < seconds:
        prompt = prompts(language)[rng.integers(len(prompts(language)))]
        voice = at_48k(prompt.samples * LOUDNESS * gain / prompt.rms)[: 2 * RATE_HZ]
        start = int(at * RATE_HZ)
        out[start : start + len(voice)] += voice
        onsets.append(at)
        at += 5 + rng.uniform(0, 1)
    return out, onsets


def as_pcm(samples: Samples, seed: int) -> bytes:
    """With the noise of the room."""
    noise = np.random.default_rng(seed).standard_normal(len(samples)) * NOISE
    return (np.clip(samples + noise, -1, 1) * 32767).astype("<i2").tobytes()


def run(said: bytes, room: Room, reply: Path) -> list[Event]:
    """The call."""
    settings = load_settings(None, mock_reply=str(reply))

    def fail(error: Exception) -> None:
        raise error

    return call(said, room, load_graph("default", settings), settings, fail=fail)


def talked_s(events: list[Event]) -> float:
    """How long the bot talked."""
    return sum(e.heard_ms for e in events if isinstance(e, PlaybackEnded)) / 1000


def over(events: list[Event], onsets: list[float]) -> tuple[int, int, list[float], int]:
    """Of the callers who spoke while the bot did: how many, how many were found, how late; and other barge-ins."""
    cuts = [e.t_us / 1e6 for e in events if isinstance(e, BargeIn)]
    plays: list[tuple[float, float]] = []
    for event in events:
        if isinstance(event, PlaybackStarted):
            plays.append((event.t_us / 1e6, float("inf")))
        elif isinstance(event, PlaybackEnded) and plays and plays[-1][1] == float("inf"):
            plays[-1] = (plays[-1][0], event.t_us / 1e6)
    spoken = [at for at in onsets if any(a < at < b for a, b in plays)]
    delays = [next((cut - at for cut in cuts if 0 <= cut - at <= FOUND_S), None) for at in spoken]
    real = [cut for cut in cuts if any(0 <= cut - at <= 2.5 for at in onsets)]
    found = [delay for delay in delays if delay is not None]
    return len(spoken), len(found), found, len(cuts) - len(real)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bot", default="en")
    parser.add_argument("--callers", nargs="+", default=["it", "ru"])
    options = parser.parse_args()
    table = Table("echo", "late", "bot alone", "false", "callers", "found", "median", "p95", "false")
    talk, false, spoken, found = 0.0, 0, 0, 0
    delays: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        reply = Path(folder) / "reply.wav"
        voice = reading(options.bot, options.seconds, options.seed)
        write_wav(reply, as_pcm(voice, 0), RATE_HZ)
        question, _ = callers(options.callers[0], 6.6, 1.0, options.seed)
        alone = np.concatenate([question[: 4 * RATE_HZ], np.zeros(int(options.seconds * RATE_HZ))])
        for late_ms, gain_db in track(ROOMS, "rooms", console=Console(stderr=True)):
            events = run(as_pcm(alone, 1), Room(late_ms, gain_db, ring=True), reply)
            here, wrong = talked_s(events), sum(isinstance(e, BargeIn) for e in events)
            row = [0, 0, 0]
            own: list[float] = []
            for index, language in enumerate(options.callers):
                for gain in (1.0, 0.5):
                    said, onsets = callers(language, options.seconds / 2, gain, options.seed + index)
                    got = over(run(as_pcm(said, 2), Room(late_ms, gain_db, ring=True), reply), onsets)
                    row = [row[0] + got[0], row[1] + got[1], row[2] + got[3]]
                    own += got[2]
            talk, false, spoken, found, delays = (
                talk + here,
                false + wrong,
                spoken + row[0],
                found + row[1],
                delays + own,
            )
            table.add_row(
                f"{gain_db:.0f} dB",
                f"{late_ms} ms",
                f"{here:.0f} s",
                str(wrong),
                str(row[0]),
                str(row[1]),
                *late(own),
                str(row[2]),
            )
    table.add_row(
        "all", "", f"{talk:.0f} s", str(false), str(spoken), f"{found / spoken:.0%}", *late(delays), "", style="bold"
    )
    Console().print(table)
    right = false == 0 and found >= GOAL_FOUND * spoken
    goals = (
        f"goals: none false while the bot is alone; {GOAL_FOUND:.0%} of callers found within {FOUND_S * 1000:.0f} ms"
    )
    Console().print(f"{goals}: {'met' if right else 'missed'}")
    return 0 if right else 1


def late(delays: list[float]) -> tuple[str, str]:
    """Median and 95th percentile in ms."""
    if not delays:
        return "–", "–"
    return f"{statistics.median(delays) * 1000:.0f} ms", f"{np.percentile(delays, 95) * 1000:.0f} ms"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
