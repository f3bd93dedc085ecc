"""Does the bot answer or interrupt itself where the caller's side cancels the echo and leaves a residue of its voice?

    python -m bench.echo_residue [--calls 3] [--seed 1] [--bots it en fr] [--caller es]

A residue is a soft voice, and soft voices are found, too (second_opinion.py). Each call runs in virtual time through a
graph, its audio marked as cancelled, with what the bot played in it, softer and later (echo_room.py). In one call
somebody asks a loud question, and then nobody speaks. In the other a soft caller speaks 1.2 s after the bot's answer.
A start or a barge-in is the caller's if its first voiced frame is within what a caller says; others are counted.
Residues of -54 dBFS or softer that are at most 0.7 s late have a goal. Such a call that has any is made again with the
second opinion only while a caller speaks, because after a soft caller the first one takes some residues for a voice,
too. Exit code 1 if a call has more starts or barge-ins that are not the caller's than it has then.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.echo import LOUDNESS, Samples, as_pcm, at_48k, reading
from bench.echo_room import RATE_HZ, Room, call
from bench.hearing.voices import prompts
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import BargeIn, Event, PlaybackEnded, SpeechStarted
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.hearing.second_opinion import SecondOpinion
from webapi.voice_node.hearing.silero_network import RATE_HZ as NETWORK_HZ
from webapi.voice_node.hearing.silero_network import WINDOW

GRAPHS = ("default", "duck")
LEVELS_DB = (-36, -48, -54, -60, -68)  # of the residue, where the bot speaks; full scale is 0
DELAYS_MS = (100, 300, 500, 700, 800)
GOAL_DB, GOAL_MS = -54, 700  # a residue at most so loud and so late has the goal
QUESTION_DB, SOFT_DB = -20.0, (-44.0, -47.0, -50.0)
SHORTEST_S, LONGEST_S = 1.0, 2.5  # of what a caller says, without a pause
REPLY_S = 3.0
FIRST_S, AFTER_BOT_S = 0.5, 1.2  # when the question begins; how long after the bot the soft caller does
SLACK_S = 0.3  # a voiced frame so long after a caller's end is still the caller's
SILENT_S = 7.0  # after the first reply or the soft caller: a bot that answers itself does so in that time


class Talk(NamedTuple):
    """What callers say in a call at 48 kHz, full scale 1, and the seconds in which they say it."""

    samples: Samples
    spans: tuple[tuple[float, float], ...]


class Count(NamedTuple):
    """Of some calls: starts and barge-ins that are not the callers', the callers, and how many of these were found."""

    starts: int = 0
    barge_ins: int = 0
    callers: int = 0
    found: int = 0

    def plus(self, other: Count) -> Count:
        """Both."""
        return Count(*(a + b for a, b in zip(self, other, strict=True)))

    def strange(self) -> str:
        """For the table."""
        return f"{self.starts}/{self.barge_ins}"


class Cell(NamedTuple):
    """Of one residue: as the node hears, by the first opinion alone, and calls in which this has fewer of them."""

    now: Count = Count()
    first_alone: Count = Count()  # of the calls that were made again
    worse: int = 0

    def plus(self, other: Cell) -> Cell:
        """Both."""
        return Cell(self.now.plus(other.now), self.first_alone.plus(other.first_alone), self.worse + other.worse)


def voice(language: str, level_db: float, rng: np.random.Generator) -> Samples:
    """A prompt without a pause, so loud (RMS of its speech, dBFS)."""
    whole = [p for p in prompts(language) if len(p.spans) == 1 and SHORTEST_S <= p.spans[0][1] <= LONGEST_S]
    if not whole:
        raise UserError(f"{language}: no prompt of {SHORTEST_S:g} to {LONGEST_S:g} s without a pause")
    prompt = whole[rng.integers(len(whole))]
    return at_48k(prompt.samples * 10 ** (level_db / 20) / prompt.rms)


def said(*parts: tuple[float, Samples], seconds: float) -> Talk:
    """Each of the voices, from its second on."""
    out = np.zeros(round(seconds * RATE_HZ))
    for at, samples in parts:
        start = round(at * RATE_HZ)
        out[start : start + len(samples)] += samples
    return Talk(out, tuple((at, at + len(samples) / RATE_HZ) for at, samples in parts))


def run(talk: Talk, graph: str, reply: Path, room: Room) -> list[Event]:
    """The call."""
    settings = load_settings(None, mock_reply=str(reply), echo_cancel="needed", vad_backend="confirm")

    def fail(error: Exception) -> None:
        raise error

    return call(as_pcm(talk.samples, 1), room, load_graph(graph, settings), settings, echo=False, fail=fail)


def residue(level_db: float, late_ms: int, seed: int) -> Room:
    """What a canceller leaves: rooms scale the bot's voice, which has a loudness of its own."""
    return Room(late_ms, level_db - 20 * float(np.log10(LOUDNESS)), ring_ms=40, seed=seed)


def count(events: Iterable[Event], spans: Sequence[tuple[float, float]]) -> Count:
    """What is not the callers', and which of them were found."""
    voices = [(e, e.t_first_voiced_us / 1e6) for e in events if isinstance(e, (SpeechStarted, BargeIn))]
    strange = [e for e, at in voices if not any(a <= at <= b + SLACK_S for a, b in spans)]
    starts = [at for e, at in voices if isinstance(e, SpeechStarted)]
    return Count(
        sum(isinstance(e, SpeechStarted) for e in strange),
        sum(isinstance(e, BargeIn) for e in strange),
        len(spans),
        sum(any(a <= at <= b + SLACK_S for at in starts) for a, b in spans),
    )


def talks(graph: str, bot: str, caller: str, number: int, seed: int, reply: Path) -> tuple[Talk, Talk]:
    """Both calls: the question alone, and with a soft caller after the bot. Writes what the bot says to `reply`."""
    rng = np.random.default_rng(seed)
    write_wav(reply, as_pcm(reading(bot, REPLY_S, seed), 0), RATE_HZ)
    question = (FIRST_S, voice(caller, QUESTION_DB, rng))
    soft = voice(caller, SOFT_DB[number % len(SOFT_DB)], rng)
    clean = run(said(question, seconds=FIRST_S + LONGEST_S + REPLY_S + 4), graph, reply, residue(-300, 0, seed))
    ends = [e.t_us / 1e6 for e in clean if isinstance(e, PlaybackEnded) and e.completed]
    if not ends:
        raise UserError(f"{graph}: the bot did not answer, though there was no residue: nothing can be measured")
    then = ends[0] + AFTER_BOT_S
    alone = said(question, seconds=ends[0] + SILENT_S)
    return alone, said(question, (then, soft), seconds=then + len(soft) / RATE_HZ + REPLY_S + SILENT_S)


def first_alone(talk: Talk) -> Callable[..., float]:
    """A method of SecondOpinion that hears nothing but the callers, who are found as before, and renews no state."""
    hear, starts_s = SecondOpinion.window, itertools.count(0, WINDOW / NETWORK_HZ)

    def window(self: SecondOpinion, *args: Any) -> float:
        second, at = hear(self, *args), next(starts_s)
        self.first_is_spoilt = False
        return second if any(a <= at <= b + SLACK_S for a, b in talk.spans) else 0.0

    return window


def compared(talk: Talk, graph: str, reply: Path, level_db: int, late_ms: int, seed: int) -> Cell:
    """The call, and the same one by the first opinion alone if something in it is not the caller's."""
    now = count(run(talk, graph, reply, residue(level_db, late_ms, seed)), talk.spans)
    if not (has_goal(level_db, late_ms) and (now.starts or now.barge_ins)):
        return Cell(now)
    with patch.object(SecondOpinion, "window", first_alone(talk)):
        alone = count(run(talk, graph, reply, residue(level_db, late_ms, seed)), talk.spans)
    return Cell(now, alone, int(now.starts > alone.starts or now.barge_ins > alone.barge_ins))


def measure(graph: str, bot: str, caller: str, number: int, seed: int, folder: Path) -> dict[tuple[int, int], Cell]:
    """Both calls with each residue, by its level and delay."""
    reply = folder / "reply.wav"
    both = talks(graph, bot, caller, number, seed, reply)
    cells = {}
    for level_db, late_ms in product(LEVELS_DB, DELAYS_MS):
        one, two = (compared(talk, graph, reply, level_db, late_ms, seed) for talk in both)
        cells[level_db, late_ms] = one.plus(two)
    return cells


def has_goal(level_db: int, late_ms: int) -> bool:
    """Whether the bot must not answer such a residue."""
    return level_db <= GOAL_DB and late_ms <= GOAL_MS


def missed(total: dict[tuple[str, int, int], Cell]) -> list[str]:
    """Each residue with a goal that begins or interrupts more than with the first opinion alone."""
    return [
        f"{graph}, {level_db} dBFS, {late_ms} ms late: more in {cell.worse} of the calls"
        for (graph, level_db, late_ms), cell in total.items()
        if has_goal(level_db, late_ms) and cell.worse
    ]


def table(total: dict[tuple[str, int, int], Cell]) -> Table:
    """A cell: starts/barge-ins that are not the callers', with a goal also by the first opinion alone."""
    shown = Table("graph", "residue", *(f"{late_ms} ms late" for late_ms in DELAYS_MS), "callers found")
    for graph, level_db in product(GRAPHS, LEVELS_DB):
        row = {late_ms: total[graph, level_db, late_ms] for late_ms in DELAYS_MS}
        cells = []
        for late_ms, (now, alone, _) in row.items():
            goal, cell = has_goal(level_db, late_ms), now.strange()
            cells.append(f"[bold]{cell} ({alone.strange()})[/bold]" if goal and cell != "0/0" else cell)
        found = f"{sum(cell.now.found for cell in row.values())} of {sum(cell.now.callers for cell in row.values())}"
        shown.add_row(graph, f"{level_db} dBFS", *cells, found)
    return shown


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3, help="with and without a soft caller, so many each for a cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bots", nargs="+", default=["it", "en", "fr"])
    parser.add_argument("--caller", default="es")
    options = parser.parse_args()
    total: dict[tuple[str, int, int], Cell] = {}
    calls = list(product(GRAPHS, range(options.calls)))
    with tempfile.TemporaryDirectory() as folder:
        for graph, number in track(calls, "calls", console=Console(stderr=True)):
            bot, seed = options.bots[number % len(options.bots)], 100 * options.seed + number
            for (level_db, late_ms), one in measure(graph, bot, options.caller, number, seed, Path(folder)).items():
                total[graph, level_db, late_ms] = total.get((graph, level_db, late_ms), Cell()).plus(one)
    console = Console(width=120)
    console.print(table(total))
    wrong = missed(total)
    for line in wrong:
        console.print(line)
    goal = f"goal: no more than by the first opinion alone, at {GOAL_DB} dBFS or softer, at most {GOAL_MS} ms late"
    console.print(f"{goal}: {'missed' if wrong else 'met'}")
    return int(bool(wrong))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
