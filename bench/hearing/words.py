"""Are letters, digits and short words found that are said alone, at every level and in any order?

    python -m bench.hearing.words [--voices en es fr it ru] [--levels -22 -32 -40 -45 -55] [--orders 4] [--seed 1]
                                  [--room -66] [--out DIR] [--jobs N]

Callers who spell a name say one letter at a time. A scene has each word of a language once, in a random order, with
QUIET_S of a quiet room before and after it. All of its words have one level (RMS of their speech, dBFS), or, in the
rows "any", a level each, so that a soft word comes after a loud one. A word is *found* where a start was decided
between its first sound and LATE_S after its last. `--room`: dBFS of the room's hiss. Exit code 1 where a goal is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.hearing.features import Features, heard
from bench.hearing.rules import RULES
from bench.hearing.scenes import ROOM_DB, Scene
from bench.hearing.voices import RATE_HZ, words
from bench.options import out_folder, whole_number
from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.sweep.scoring import Heard, SpeechSpan

QUIET_S = 1.5
LATE_S = 0.3
LEVELS_DB = (-22, -32, -40, -45, -55)
GOAL_DB, GOAL, GOAL_MS = -40, 98.0, 150.0  # down to GOAL_DB so many % are found; below, the median delay in ms
SHOWN = ("webrtc", "silero", "confirm", "livekit-agents VAD", "pipecat VAD")


class Spelt(NamedTuple):
    """A scene: what is heard, and the word of each span."""

    scene: Scene
    language: str
    level: str  # dBFS; "any"
    words: tuple[str, ...]


class Found(NamedTuple):
    """What a rule made of some scenes."""

    words: int = 0
    found: int = 0
    false: int = 0  # starts outside of the words
    delays_s: tuple[float, ...] = ()  # from a word's first sound to the decision
    missed: tuple[str, ...] = ()

    def __add__(self, other: Found) -> Found:  # type: ignore[override]  # of tuples it would join them
        (words, found, false, delays_s, missed), also = self, other
        return Found(
            words + also.words, found + also.found, false + also.false, delays_s + also.delays_s, missed + also.missed
        )

    @property
    def share(self) -> float:
        """Found, %."""
        return 100 * self.found / max(1, self.words)

    @property
    def delay_ms(self) -> float:
        """The median."""
        return float(np.median(self.delays_s) * 1000) if self.delays_s else float("nan")


def spelt(language: str, level_db: float | None, order: int, seed: int, room_db: float, levels: Sequence[int]) -> Spelt:
    """Every word once, in that order. `level_db` None: each has one of `levels`. The same bytes every time."""
    random = np.random.default_rng([seed, order, 1000 if level_db is None else round(-level_db)])
    said = words(language)
    quiet = round(QUIET_S * RATE_HZ)
    parts, spans, names, at = [np.zeros(quiet)], [], [], quiet
    for i in random.permutation(len(said)):
        db = float(random.choice(levels)) if level_db is None else level_db
        parts += [said[i].samples * 10 ** (db / 20) / said[i].rms, np.zeros(quiet)]
        end = at + len(said[i].samples)
        spans.append(SpeechSpan(at / RATE_HZ, end / RATE_HZ))
        names.append(said[i].name)
        at = end + quiet
    talk = np.concatenate(parts)
    talk += 10 ** (room_db / 20) * random.standard_normal(len(talk))
    level = "any" if level_db is None else f"{level_db:g}"
    pcm = np.clip(np.round(talk * 32768), -32768, 32767).astype("<i2").tobytes()
    return Spelt(Scene(f"{language} {level}", pcm, tuple(spans)), language, level, tuple(names))


def judge(spoken: Spelt, starts: Sequence[Heard]) -> Found:
    """Which words were found. A start is that of the word in which, or LATE_S after which, it was decided."""
    firsts: dict[int, float] = {}
    false = 0
    for each in starts:
        spans = enumerate(spoken.scene.spans)
        of = next((i for i, span in spans if span.start_s <= each.start_s <= span.end_s + LATE_S), None)
        if of is None:
            false += 1
        else:
            firsts.setdefault(of, each.start_s - spoken.scene.spans[of].start_s)
    missed = tuple(f"{spoken.language} {name}" for i, name in enumerate(spoken.words) if i not in firsts)
    return Found(len(spoken.words), len(firsts), false, tuple(firsts.values()), missed)


def measure(spoken: Sequence[Spelt], told: Sequence[Features]) -> dict[str, dict[tuple[str, str], Found]]:
    """For each rule: by language ("all" too) and level what was found."""
    out: dict[str, dict[tuple[str, str], Found]] = {}
    for rule in (rule for rule in RULES if rule.name in SHOWN):
        rows = out.setdefault(rule.name, {})
        for each, features in zip(spoken, told, strict=True):
            found = judge(each, rule.hear(features))
            for language in (each.language, "all"):
                rows[language, each.level] = rows.get((language, each.level), Found()) + found
    return out


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", nargs="+", default=["en", "es"], metavar="LANG")
    parser.add_argument("--levels", nargs="+", type=int, default=LEVELS_DB)
    parser.add_argument("--orders", type=whole_number, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", type=float, default=ROOM_DB)
    parser.add_argument("--out", type=out_folder)
    parser.add_argument("--jobs", type=whole_number, default=os.cpu_count() or 1)
    given = parser.parse_args()
    console = Console(width=150)
    try:
        levels: list[float | None] = [*given.levels, None]
        wanted = [(voice, level, order) for voice in given.voices for level in levels for order in range(given.orders)]
        spoken = [spelt(*each, given.seed, given.room, given.levels) for each in wanted]
    except UserError as error:
        console.print(f"[red]{error}[/red]")
        return 2
    scenes = [each.scene for each in spoken]
    if given.jobs == 1:
        told = [heard(scene) for scene in scenes]
    else:
        with ProcessPoolExecutor(given.jobs) as pool:
            told = list(pool.map(heard, scenes))
    found = measure(spoken, told)
    for title, cell in COLUMNS.items():
        console.print(table(title, found, cell))
    ours = found["confirm"]
    often = Counter(word for (language, _), each in ours.items() if language == "all" for word in each.missed)
    console.print("missed by confirm: " + (", ".join(f"{word} ×{n}" for word, n in often.most_common(20)) or "none"))
    if given.out:
        rows = {rule: {" ".join(at): each._asdict() for at, each in of.items()} for rule, of in found.items()}
        (given.out / "words.json").write_text(json.dumps(rows) + "\n", encoding="utf-8")
    wrong = {at: each for at, each in ours.items() if not met(at, each)}
    missed = [f"{' '.join(at)}: {each.share:.1f} %, {each.delay_ms:.0f} ms" for at, each in wrong.items()]
    console.print(f"[red]missed: {'; '.join(missed)}[/red]" if missed else "[green]every goal is met[/green]")
    return 1 if missed else 0


def met(at: tuple[str, str], found: Found) -> bool:
    """Whether the goal of that language and level is met."""
    if at[1] != "any" and float(at[1]) < GOAL_DB:
        return found.delay_ms <= GOAL_MS
    return found.share >= GOAL


def table(title: str, found: dict[str, dict[tuple[str, str], Found]], cell: Callable[[Found], str]) -> Table:
    """A figure of each rule: a column for each language, a row for each level and rule."""
    languages = sorted(
        {language for language, _ in found["confirm"]}, key=lambda language: (language == "all", language)
    )
    levels = list(dict.fromkeys(level for _, level in found["confirm"]))
    out = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for head in ("dBFS", "rule", *languages):
        out.add_column(head, justify="left" if head == "rule" else "right")
    for level in levels:
        for rule, rows in found.items():
            out.add_row(level, rule, *(cell(rows[language, level]) for language in languages))
    return out


def _number(of: str, digits: int, found: Found) -> str:
    return f"{getattr(found, of):.{digits}f}"


COLUMNS: dict[str, Callable[[Found], str]] = {
    "found, %": partial(_number, "share", 1),
    "start decided after, median, ms": partial(_number, "delay_ms", 0),
    "false starts": partial(_number, "false", 0),
}


if __name__ == "__main__":
    sys.exit(main())
