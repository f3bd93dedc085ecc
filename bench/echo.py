"""Does the bot's own voice, coming back from a loudspeaker, interrupt it? And is a real caller still found over it?

    python -m bench.echo [--seconds 100] [--seed 1] [--bots en] [--callers it ru] [--harder]

The default graph as it answers calls, in virtual time, with a simulated room (echo_room.py: reverberation, some noise;
each room has its own). The bot reads prompts of one voice for `--seconds` in each room, and nobody speaks; then callers
with other voices talk over it every few seconds, as loud as the bot and at half of that: calls of half as long, of
which each has the first words of the bot in it. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.echo_room import RATE_HZ, Room, call
from bench.hearing.voices import prompts
from webapi.voice_node.audio.fir_resampler import Fir
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import BargeIn, Event, PlaybackEnded, PlaybackStarted
from webapi.voice_node.graph.files import load_graph

ROOMS = {
    f"−{-gain_db:.0f} dB, {late_ms} ms late": Room(late_ms, gain_db, ring_ms=40)
    for gain_db in (-10.0, -20.0)
    for late_ms in (60, 120, 250)
}
HARDER = {
    "−10 dB, 20 ms late": Room(20, -10, ring_ms=40),
    "−10 dB, 400 ms late": Room(400, -10, ring_ms=40),
    "−6 dB, 120 ms late": Room(120, -6, ring_ms=40),
    "−10 dB, rings for 120 ms": Room(120, -10, ring_ms=120),
    "−10 dB, the loudspeaker clips": Room(120, -10, ring_ms=40, clips=True),
    "no echo at all": Room(120, -300),
}
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


class Heard(NamedTuple):
    """What was measured in some rooms."""

    talk_s: float = 0.0  # that the bot talked while nobody else did
    false: int = 0  # barge-ins then, and others that no caller made
    callers: int = 0
    delays: tuple[float, ...] = ()  # s, of those that were found

    def plus(self, other: Heard) -> Heard:
        """Both."""
        return Heard(
            self.talk_s + other.talk_s,
            self.false + other.false,
            self.callers + other.callers,
            self.delays + other.delays,
        )

    def cells(self) -> list[str]:
        """Of the table's row."""
        if not self.callers:
            return [f"{self.talk_s:.0f} s", str(self.false), "–", "–", "–", "–"]
        low, high = interval(len(self.delays), self.callers)
        found = f"{len(self.delays) / self.callers:.0%} ({low:.0%} to {high:.0%})"
        return [f"{self.talk_s:.0f} s", str(self.false), str(self.callers), found, *late(self.delays)]


def interval(found: int, of: int) -> tuple[float, float]:
    """95 %, by Wilson (1927)."""
    z, p = 1.96, found / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def measure(room: Room, bot: str, languages: Sequence[str], seconds: float, seed: int, folder: Path) -> Heard:
    """One bot's voice in one room: alone, and with the callers."""
    reply = folder / "reply.wav"
    write_wav(reply, as_pcm(reading(bot, seconds, seed), 0), RATE_HZ)
    question, _ = callers(languages[0], 6.6, 1.0, seed)
    alone = np.concatenate([question[: 4 * RATE_HZ], np.zeros(int(seconds * RATE_HZ))])
    events = run(as_pcm(alone, 1), replace(room), reply)
    heard = Heard(talked_s(events), sum(isinstance(e, BargeIn) for e in events))
    for index, (language, gain) in enumerate(product(languages, (1.0, 0.5))):
        said, onsets = callers(language, seconds / 2, gain, 100 * seed + index)
        spoken, _, delays, wrong = over(run(as_pcm(said, 2), replace(room), reply), onsets)
        heard = heard.plus(Heard(0, wrong, spoken, tuple(delays)))
    return heard


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bots", nargs="+", default=["en"])
    parser.add_argument("--callers", nargs="+", default=["it", "ru"])
    parser.add_argument("--harder", action="store_true", help="other rooms, that have no goal")
    options = parser.parse_args()
    rooms = HARDER if options.harder else ROOMS
    table = Table("room", "bot alone", "false", "callers", "found within 300 ms", "median", "p95")
    total = Heard()
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, room) in enumerate(track(rooms.items(), "rooms", console=Console(stderr=True))):
            here = Heard()
            for bot_index, bot in enumerate(options.bots):
                seed = options.seed + 100 * index + 10 * bot_index
                languages = [language for language in options.callers if language != bot]
                one = measure(replace(room, seed=seed), bot, languages, options.seconds, seed, Path(folder))
                here = here.plus(one)
            table.add_row(name, *here.cells())
            total = total.plus(here)
    table.add_row("all", *total.cells(), style="bold")
    Console().print(table)
    if options.harder:
        return 0
    right = total.false == 0 and len(total.delays) >= GOAL_FOUND * total.callers
    goals = f"goals: none false; {GOAL_FOUND:.0%} of callers found within {FOUND_S * 1000:.0f} ms"
    Console().print(f"{goals}: {'met' if right else 'missed'}")
    return 0 if right else 1


def late(delays: Sequence[float]) -> tuple[str, str]:
    """Median and 95th percentile in ms."""
    if not delays:
        return "–", "–"
    return f"{statistics.median(delays) * 1000:.0f} ms", f"{np.percentile(delays, 95) * 1000:.0f} ms"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
