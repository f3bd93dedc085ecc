"""The bot's first words: do they interrupt it where they come back, and is who talks over them found?

    python -m bench.echo_first_words [--calls 12] [--seed 1] [--bots en] [--callers es] [--unseen]

Each call is one greeting in a new simulated room, and is judged by its first interruption. In half of them nobody
speaks. In the others a caller begins 0.1 to 0.9 s after the bot, as loud as it, half or a quarter as loud, and is found
where the bot is interrupted within 500 ms of that. `--unseen`: other delays and reverberations than those by which
the rule was chosen, a loudspeaker that clips harder, and a clock that drifts by 100 ppm.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.echo import LOUDNESS, Samples, as_pcm, at_48k, interval
from bench.echo import late as lateness
from bench.echo_recordings import FOUND_S, Recording, interrupted
from bench.echo_room import RATE_HZ
from bench.hearing.voices import prompts
from bench.options import whole_number
from webapi.voice_node.errors import UserError

SECONDS = 3.0  # of a call
LEVELS_DB = (-3.0, -6.0, -10.0, -20.0, -30.0, -35.0, -40.0, -300.0)
GAINS = (1.0, 0.5, 0.25)  # of callers, against the bot
CLIPS_AT = 0.18  # a loudspeaker that clips, softly: full scale is 1


class Way(NamedTuple):
    """From the loudspeaker to the microphone."""

    late_ms: float
    gain_db: float
    ring_ms: int
    clips_at: float  # 0: it does not clip
    drift_ppm: float
    seed: int

    def echo(self, played: Samples) -> Samples:
        """What of it comes back."""
        sound = np.tanh(played / self.clips_at) * self.clips_at if self.clips_at else played
        n = max(1, RATE_HZ * self.ring_ms // 1000)
        response = np.random.default_rng(self.seed).standard_normal(n) * np.exp(-5 * np.arange(n) / n)
        response[0] = 3
        response *= 10 ** (self.gain_db / 20) / np.sqrt((response**2).sum())
        size = 1 << (len(sound) + n).bit_length()
        rings = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)]
        at = np.arange(len(sound)) * (1 + self.drift_ppm * 1e-6) - self.late_ms * RATE_HZ / 1000
        late: Samples = np.interp(at, np.arange(len(rings)), rings, left=0, right=0)
        return late


def ways(gain_db: float, calls: int, seed: int, unseen: bool) -> list[Way]:
    """One for each call."""
    rng = np.random.default_rng([seed, int(-gain_db)])
    delays, rings = (
        ((35, 90, 170, 230, 410, 470), (25, 80, 160, 300)) if unseen else ((20, 60, 120, 300, 500), (0, 40, 120, 250))
    )
    made = []
    for number in range(calls):
        clips = (CLIPS_AT / 2 if unseen else CLIPS_AT) if number % 3 == 2 else 0.0
        drift = 100.0 if unseen and number % 2 else 0.0
        late_ms, ring_ms = float(rng.choice(delays)), int(rng.choice(rings))
        made.append(Way(late_ms, gain_db, ring_ms, clips, drift, int(rng.integers(1 << 30))))
    return made


def voice(language: str, rng: np.random.Generator) -> Samples:
    """One or more prompts, as long as a call."""
    parts: list[Samples] = []
    while sum(map(len, parts)) < SECONDS * RATE_HZ:
        prompt = prompts(language)[rng.integers(len(prompts(language)))]
        parts += [at_48k(prompt.samples * LOUDNESS / prompt.rms), np.zeros(int(0.3 * RATE_HZ))]
    return np.concatenate(parts)[: int(SECONDS * RATE_HZ)]


def made(way: Way, bot: str, caller: str, gain: float, seed: int) -> Recording:
    """A call in that room. `gain` 0: nobody speaks."""
    rng = np.random.default_rng(seed)
    played, said = voice(bot, rng), np.zeros(int(SECONDS * RATE_HZ))
    begins = rng.uniform(0.1, 0.9)
    if gain:
        said[int(begins * RATE_HZ) :] = gain * voice(caller, rng)[: len(said) - int(begins * RATE_HZ)]
    far = as_pcm(played, 0)
    heard = said + way.echo(np.frombuffer(far, "<i2") / 32768)
    return Recording(str(way), far, as_pcm(heard, seed), begins if gain else None, 0.0)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--calls", type=whole_number, default=12, help="in each row: so many alone, and with each loudness"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bots", nargs="+", default=["en"])
    parser.add_argument("--callers", nargs="+", default=["es"])
    parser.add_argument("--unseen", action="store_true")
    options = parser.parse_args()
    table = Table(
        "echo", "bot alone", "cut", *(f"caller × {gain:g}: found" for gain in GAINS), "median", "p95", "too soon"
    )
    missed = False
    for gain_db in track(LEVELS_DB, "levels", console=Console(stderr=True)):
        rooms = ways(gain_db, options.calls, options.seed, options.unseen)
        cells, delays, soon, cut = [], [], 0, 0
        for gain in (0.0, *GAINS):
            found = 0
            for number, way in enumerate(rooms):
                bot = options.bots[number % len(options.bots)]
                callers = [language for language in options.callers if language != bot]
                one = made(way, bot, callers[number % len(callers)], gain, 1000 * options.seed + number)
                at = interrupted(one, "needed")
                if not gain or one.speaks_s is None:
                    cut += at is not None
                elif at is not None and at < one.speaks_s:
                    soon += 1
                elif at is not None and at <= one.speaks_s + FOUND_S:
                    found += 1
                    delays.append(at - one.speaks_s)
            if gain:
                low, high = interval(found, len(rooms))
                cells.append(f"{found} ({low:.0%} to {high:.0%})")
        missed |= cut > 0
        name = "none" if gain_db < -100 else f"{gain_db:.0f} dB"
        table.add_row(name, str(len(rooms)), str(cut), *cells, *lateness(delays), str(soon))
    Console(width=140).print(table)
    print(f"goal: none cut: {'missed' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
