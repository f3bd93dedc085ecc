"""Hold every rule against a labelled corpus of voices in noise, and judge ours by its goals.

    python -m bench.hearing [--voices en:es es:en] [--seed 1] [--count 8] [--harder] [--others] [--phone]
                            [--out DIR] [--wavs DIR] [--jobs N]

`--voices`: pairs of languages, who speaks and who babbles; Debian's asterisk-core-sounds-LANG-wav must be there.
`--count`: minutes of each of the 28 conditions, for each pair. `--harder`: 25 more, see rooms.py. `--others`: 23 more,
whose noises others made, see others.py. `--phone`: all of it over a telephone line (300 to 3400 Hz, mu-law). `--wavs`:
only write the corpus, with its labels, for `voice-node sweep`. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.hearing.features import Corpus, Features, corpus, scenes_of
from bench.hearing.noises import BANGS, NOISES
from bench.hearing.others import BY_SOX, HOLD, OTHER_BANGS
from bench.hearing.picture import draw
from bench.hearing.rooms import CALLERS, ROOMS
from bench.hearing.rules import RULES
from bench.hearing.scenes import BREATHLESS, SNRS_DB, conditions, harder, others, scene
from bench.hearing.score import Tally, interval, tally, total
from bench.hearing.voices import RATE_HZ
from bench.options import out_folder, whole_number
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.errors import UserError

FIVE = [name for name in NOISES if name != "talker"]
GROUPS: dict[str, list[str]] = {
    "clean": ["clean"],
    **{f"{snr} dB": [f"{noise} {snr} dB" for noise in FIVE] for snr in SNRS_DB},
    "babble 10 dB": ["babble 10 dB"],
    "one talker 10 dB": ["talker 10 dB"],
    "clicks, coughs, slams": list(BANGS),
    **{bang: [bang] for bang in BANGS},
    **{f"other rooms {snr} dB": [f"{room} {snr} dB" for room in ROOMS if room != "party"] for snr in (20, 10)},
    **{f"by SoX {snr} dB": [f"{noise} {snr} dB" for noise in BY_SOX] for snr in (20, 10)},
    **{f"music on hold {snr} dB": [f"{piece} {snr} dB" for piece in HOLD] for snr in (20, 10)},
    "taps, hacks, knocks": list(OTHER_BANGS),
    **{name: [name] for name in ("party 10 dB", *CALLERS, BREATHLESS)},
}
Tallies = dict[str, dict[str, list[Tally]]]  # by rule and group, a scene each
SHOWN = {"found": 1, "false": 2, "delay": 0, "p95": 0, "end": 0, "stuck": 1, "splits": 1}  # with how many digits


class Goal(NamedTuple):
    """What ours must reach: `figure` of `rule` in `group` at least, or at most, `limit`."""

    rule: str
    group: str
    figure: str
    least: bool
    limit: float


GOALS = (
    Goal("confirm", "10 dB", "found", True, 94),
    Goal("confirm", "10 dB", "false", False, 1.0),
    Goal("confirm", "babble 10 dB", "found", True, 86),
    Goal("confirm", "babble 10 dB", "false", False, 4.5),
    Goal("confirm", "clean", "found", True, 98),
    Goal("confirm", "clean", "false", False, 0),
    Goal("confirm", "20 dB", "found", True, 97),
    Goal("confirm", "20 dB", "false", False, 0),
    Goal("confirm", "clicks, coughs, slams", "false", False, 0.5),
    Goal("confirm", "10 dB", "delay", False, 130),
    Goal("confirm", "10 dB", "p95", False, 230),
    Goal("confirm", "clean", "end", False, 300),
    Goal("confirm", "10 dB", "end", False, 350),
    Goal("confirm", "10 dB", "stuck", False, 2),
    Goal("confirm, barge-in", "clicks", "false", False, 0),
    Goal("confirm, barge-in", "10 dB", "false", False, 0.45),
    Goal("confirm, barge-in", "babble 10 dB", "false", False, 2.0),
    Goal("confirm, barge-in", "10 dB", "delay", False, 180),
)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", nargs="+", default=["en:es", "es:en"], metavar="LANG:LANG")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=whole_number, default=8)
    parser.add_argument("--harder", action="store_true")
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--phone", action="store_true")
    parser.add_argument("--out", type=out_folder)
    parser.add_argument("--wavs", type=Path)
    parser.add_argument("--jobs", type=whole_number, default=os.cpu_count() or 1)
    given = parser.parse_args()
    console = Console(width=150)
    try:
        pairs = [pair.partition(":") for pair in given.voices]
        wanted = [
            Corpus(speaks, babbles or speaks, given.seed, given.count, given.phone) for speaks, _, babbles in pairs
        ]
        names = [*conditions(), *(harder() if given.harder else []), *(others() if given.others else [])]
        if given.wavs:
            write(wanted, names, given.wavs)
            return 0
        scenes = corpus(wanted, names, given.jobs)
    except UserError as error:
        console.print(f"[red]{error}[/red]")
        return 2
    minutes = sum(f.length_s for f in scenes) / 60
    console.print(f"{minutes:.0f} minutes, {sum(len(f.spans) for f in scenes)} utterances, seed {given.seed}\n")
    tallies = measure(scenes)
    for group in tallies[RULES[0].name]:
        console.print(table(group, tallies))
    verdict, missed = judged(tallies)
    console.print(verdict)
    if given.out:
        figures = {rule: {g: total(all_).values for g, all_ in groups.items()} for rule, groups in tallies.items()}
        (given.out / "hearing.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        draw(tallies, given.out / "hearing.svg")
        console.print(f"written to {given.out}")
    return 1 if missed else 0


def write(wanted: Sequence[Corpus], names: Sequence[str], folder: Path) -> None:
    """The corpus as WAVs, with label tracks beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for of in scenes_of(wanted, names):
        made = scene(*of)
        name = f"{of[3]} {made.condition} {of[1]:02}".replace(" ", "-")
        write_wav(folder / f"{name}.wav", made.pcm, RATE_HZ)
        lines = [f"{span.start_s:.3f}\t{span.end_s:.3f}\tspeech\n" for span in made.spans]
        (folder / f"{name}.txt").write_text("".join(lines), encoding="utf-8")


def measure(scenes: Sequence[Features]) -> Tallies:
    """Every rule over every scene."""
    of_group = {g: [f for f in scenes if f.condition in names] for g, names in GROUPS.items()}
    of_group = {g: fs for g, fs in of_group.items() if fs}
    scored = {rule.name: {id(f): tally(f, rule.hear(f)) for f in scenes} for rule in RULES}
    return {rule: {g: [one[id(f)] for f in fs] for g, fs in of_group.items()} for rule, one in scored.items()}


def figure(name: str) -> Callable[[Tally], float]:
    """The function that takes that figure from a tally."""
    return lambda tally: tally.values[name]


def table(group: str, tallies: Tallies) -> Table:
    """A group's figures, rule by rule; found and false with their 95 % intervals."""
    out = Table(title=group, title_justify="left", show_edge=False, pad_edge=False)
    for head in ("rule", "found %", "", "false starts /min", "", "delay ms", "p95", "end ms", "stuck %", "splits %"):
        out.add_column(head, justify="left" if head == "rule" else "right")
    for rule, groups in tallies.items():
        values = total(groups[group]).values
        cells = []
        for name, digits in SHOWN.items():
            known = values[name] == values[name] and (name == "false" or total(groups[group]).labels > 0)
            cells.append(f"{values[name]:.{digits}f}" if known else "–")
            if name in ("found", "false"):
                low, high = interval(groups[group], figure(name))
                cells.append(f"{low:.1f}–{high:.1f}" if known else "")
        out.add_row(rule, *cells)
    return out


def judged(tallies: Tallies) -> tuple[Table, int]:
    """The goals with what was measured, and how many are missed."""
    out = Table(title="goals", title_justify="left", show_edge=False, pad_edge=False)
    for head in ("rule", "where", "figure", "goal", "measured", "95 %", ""):
        out.add_column(head)
    missed = 0
    for goal in GOALS:
        scenes = tallies[goal.rule][goal.group]
        value = total(scenes).values[goal.figure]
        low, high = interval(scenes, figure(goal.figure))
        good = value >= goal.limit if goal.least else value <= goal.limit
        missed += not good
        sign = "≥" if goal.least else "≤"
        found = (goal.rule, goal.group, goal.figure, f"{sign} {goal.limit:g}", f"{value:.2f}", f"{low:.2f}–{high:.2f}")
        out.add_row(*found, "[green]met[/green]" if good else "[red]MISSED[/red]")
    return out, missed


if __name__ == "__main__":
    sys.exit(main())
