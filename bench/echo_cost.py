"""What a call with and without an echo costs, and what of it is the question whose voice is heard (echo_share.py).

    python -m bench.echo_cost [--seconds 40] [--rounds 3]

Calls in virtual time, whose bot talks most of the time and is interrupted every six seconds. The default graph takes
the caller's audio; the processor time of that is for a second of audio. The rounds take turns; medians.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.echo import LOUDNESS, Samples, as_pcm, callers, reading, run, talked_s
from bench.echo_room import RATE_HZ, Room
from bench.hearing import noises
from bench.options import whole_number
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.errors import UserError
from webapi.voice_node.hearing.echo_share import EchoShare
from webapi.voice_node.pipeline import Session

GOAL = 0.05  # of what a call costs, for the question
MUSIC_DB = -10.0  # below the caller's voice
NO_ECHO_DB = -300.0


class Cost(NamedTuple):
    """For a second of audio: milliseconds in all, how often it was asked, milliseconds of that; and seconds."""

    ms: float
    asked: float
    asked_ms: float
    talked_s: float


class Meter:
    """Counts the calls of a method, and the processor time that they take."""

    def __init__(self) -> None:
        self.calls, self.spent_s = 0, 0.0

    @contextmanager
    def on(self, owner: type, name: str) -> Iterator[None]:
        """While this is entered."""
        method = getattr(owner, name)

        def metered(*args: object, **more: object) -> object:
            began = time.process_time()
            try:
                return method(*args, **more)
            finally:
                self.calls += 1
                self.spent_s += time.process_time() - began

        with mock.patch.object(owner, name, metered):
            yield


def cost(said: Samples, room: Room, reply: Path) -> Cost:
    """Of one call."""
    whole, share, seconds = Meter(), Meter(), len(said) / RATE_HZ
    with whole.on(Session, "hear"), share.on(EchoShare, "share"):
        events = run(as_pcm(said, 1), room, reply)
    return Cost(whole.spent_s * 1000 / seconds, share.calls / seconds, share.spent_s * 1000 / seconds, talked_s(events))


def music(length: int) -> Samples:
    """As long as a call."""
    sound = np.repeat(noises.music(length // 6, np.random.default_rng(4)), 6)
    sound *= LOUDNESS * 10 ** (MUSIC_DB / 20) / np.sqrt(np.mean(np.square(sound)))
    return np.pad(sound, (0, length - len(sound)))


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rounds", type=whole_number, default=3)
    options = parser.parse_args()
    said, _ = callers("it", options.seconds, 1.0, 5)
    calls = {
        "no echo": (said, NO_ECHO_DB),
        "no echo, music": (said + music(len(said)), NO_ECHO_DB),
        "echo of -10 dB": (said, -10.0),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in calls}
    with tempfile.TemporaryDirectory() as folder:
        reply = Path(folder, "reply.wav")
        write_wav(reply, as_pcm(reading("fr", 6, 7), 0), RATE_HZ)
        for _ in range(options.rounds):
            for name, (heard, gain_db) in calls.items():
                costs[name].append(cost(heard, Room(120, gain_db, ring_ms=40), reply))
    table = Table("call", "ms a second", "asked a second", "asking: ms a second", "µs each", "the bot talked")
    for name, each in costs.items():
        ms, asked, asked_ms, talked = (median(values) for values in zip(*each, strict=True))
        row = (f"{ms:.1f}", f"{asked:.1f}", f"{asked_ms:.2f}", f"{1000 * asked_ms / asked:.0f}" if asked else "")
        table.add_row(name, *row, f"{talked / options.seconds:.0%}")
    Console(width=120).print(table)
    most = max(median(each.asked_ms / each.ms for each in rounds) for rounds in costs.values())
    print(f"goal: at most {GOAL:.0%} for the question; it takes {most:.1%}: {'met' if most <= GOAL else 'missed'}")
    return int(most > GOAL)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
