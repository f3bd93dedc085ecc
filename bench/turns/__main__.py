"""Hold rules for the end of a turn against labelled pauses, by the method of livekit/eot-bench.

    python -m bench.turns [--meetings DIR] [--digits DIR] [--prompts DIR[:TEXTS] …] [--labelled DIR] [--recognise]
                          [--backends words smart-turn] [--model FILE] [--rate 8000] [--seed 1] [--out DIR]

`--meetings`: NAME.wav, and .rttm files that say who speaks when (pyannote/pyannote-audio has a minute each of fourteen
AMI meetings in tests/data). `--digits`: DIGIT_SPEAKER_NUMBER.wav, one digit each (the recordings of
Jakobovski/free-spoken-digit-dataset); they are joined to phone numbers. `--prompts`: a folder for each language, WAVs
of somebody who reads, and the file of what they say (Debian's asterisk-core-sounds-LANG-wav has both). `--labelled`:
one's own calls, NAME.wav with a label track NAME.txt beside it; see docs/turns.md. `--recognise`: the words of meetings
and of one's own calls come from the offline recogniser (English); else there are none. `--model`: the weights of
smart-turn. Exit code 1 where the goal is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.options import out_folder
from bench.turns import sources
from bench.turns.measure import CUT_OFFS, GOAL_WAIT_S, Measured, as_json, figures, measure
from bench.turns.pauses import Pause, Recording, pauses
from bench.turns.scoring import Point, at_wait
from webapi.voice_node.end_of_turn import Backend, backend_named, needs
from webapi.voice_node.errors import UserError


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meetings", type=Path, metavar="DIR")
    parser.add_argument("--digits", type=Path, metavar="DIR")
    parser.add_argument("--prompts", nargs="+", default=[], metavar="DIR[:TEXTS]")
    parser.add_argument("--labelled", type=Path, metavar="DIR")
    parser.add_argument("--backends", nargs="*", default=["words", "smart-turn"], metavar="NAME")
    parser.add_argument("--recognise", action="store_true")
    parser.add_argument("--model", default="", metavar="FILE")
    parser.add_argument("--rate", type=int, default=8000, choices=(8000, 16000))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=out_folder)
    given = parser.parse_args()
    console = Console(width=150)
    try:
        labelled = [pause for of in recordings(given) for pause in pauses(of)]
        if given.recognise:
            from bench.turns.recognise import recognised  # it needs the extra `offline`

            labelled = recognised(labelled)
        if len({pause.ends for pause in labelled}) < 2:
            raise UserError(
                "holds and ends are needed, and there are only ends or only holds: give all labels of one turn the "
                "same text, and the next turn another one (docs/turns.md)"
            )
        if given.out and given.out.exists() and not given.out.is_dir():
            raise UserError(f"--out {given.out}: it is no folder")
        asked = backends(given.backends, given.model)
        if "words" in asked and (wordless := without_words(labelled)):
            told = f"words has no words to judge by in: {', '.join(wordless)}. --recognise hears them (English)"
            Console(stderr=True).print(told, soft_wrap=True)
        measured = measure(labelled, asked)
    except UserError as error:
        console.print(f"[red]{error}[/red]")
        return 2
    for shown in (sizes(measured), curves(measured), by_source(measured), counts(measured)):
        console.print(shown)
        console.print()
    best, good = judged(measured)
    console.print(f"goal: at most {CUT_OFFS:.0%} cut off at a mean wait of {GOAL_WAIT_S * 1000:.0f} ms: {best}")
    if given.out:
        from bench.turns.picture import draw  # matplotlib is an extra, and slow to import

        (given.out / "turns.json").write_text(json.dumps(as_json(measured), indent=1) + "\n", encoding="utf-8")
        draw(measured, given.out)
        console.print(f"written to {given.out}")
    return 0 if good else 1


def recordings(given: argparse.Namespace) -> list[Recording]:
    """Those of all folders that are given."""
    found: list[Recording] = []
    if given.meetings:
        found += sources.meetings(given.meetings, given.rate)
    if given.digits:
        found += sources.digits(given.digits, given.rate, given.seed)
    if given.prompts:
        found += sources.prompts(given.prompts, given.rate, given.seed)
    if given.labelled:
        found += sources.labelled(given.labelled, given.rate)
    if not found:
        raise UserError("nothing to measure: give --meetings, --digits, --prompts or --labelled")
    return found


def backends(names: Sequence[str], model: str) -> Mapping[str, Backend]:
    """The backends of those names, by the node's table; those that can't run here are left out, and it is said why."""
    found = {}
    for name in names:
        if missing := needs(name, model):
            Console(stderr=True).print(f"{name} is left out. It needs: {'; '.join(missing)}")
        elif backend := backend_named(name, model=model if name == "smart-turn" else ""):
            found[name] = backend
    return found


def without_words(pauses: Sequence[Pause]) -> list[str]:
    """The sources of which nobody knows what is said: there the backend `words` gives the same answer everywhere."""
    return sorted({p.of.source for p in pauses} - {p.of.source for p in pauses if p.words})


def sizes(measured: Measured) -> Table:
    """How many pauses of each source there are."""
    out = _table("labelled pauses", "source")
    kinds = list(next(iter(measured.sizes.values())))
    for kind in kinds:
        out.add_column(kind, justify="right")
    for name, size in measured.sizes.items():
        out.add_row(name, *(str(size[kind]) for kind in kinds))
    return out


def curves(measured: Measured) -> Table:
    """The figures of each curve, on what is held back; and what the point chosen on the rest does there."""
    heads = ("cut off at 300 ms, %", "600 ms", "800 ms", "wait at 5 %, ms", "chosen: cut off, %", "95 %", "wait, ms")
    out = _table(
        f"held back: {', '.join(measured.counted)}, each with the same weight",
        "rule",
        *heads,
        "threshold, delay, timeout",
    )
    for o in measured.outcomes:
        cells = _figures(o.points)
        if o.then and o.chosen:
            low, high = o.low_high
            at = o.chosen.policy
            cells += [f"{o.then.cut_offs:.1%}", f"{low:.1%}–{high:.1%}", f"{o.then.wait_s * 1000:.0f}"]
            cells.append(f"{at.threshold:g}, {at.delay_s:g}, {at.timeout_s:g} s")
        out.add_row(o.curve.name, *cells)
    return out


def by_source(measured: Measured) -> Table:
    """The same figures, source by source: the best of the grid for each."""
    out = _table("held back, source by source", "rule")
    for name in measured.sizes:
        out.add_column(f"{name}: 300, 600, 800 ms; wait at 5 %", justify="right")
    for o in measured.outcomes:
        out.add_row(o.curve.name, *(" ".join(_figures(o.by_source.get(name, []))) for name in measured.sizes))
    return out


def counts(measured: Measured) -> Table:
    """EVA's three counts, of the shipped rules and of the points that were chosen."""
    out = _table("turns, held back", "rule", "cut off, %", "wait, ms", "early, %", "stuck, %", "forced, %")
    rows = [(s.rule.name, s.point, s.counts) for s in measured.shipped]
    rows += [(f"{o.curve.name}, chosen", o.then, o.counts) for o in measured.outcomes if o.then and o.counts]
    for name, point, counted in rows:
        shares = [f"{share:.1%}" for share in counted]
        out.add_row(name, f"{point.cut_offs:.1%}", f"{point.wait_s * 1000:.0f}", *shares)
    return out


def judged(measured: Measured) -> tuple[str, bool]:
    """What the rule does that was best on the tuned part, in words, and whether it meets the goal held back.

    Without a tuned part: the best of all grids, which flatters.
    """
    chosen = [o for o in measured.outcomes if o.chosen and o.then]
    if chosen:
        best = min(chosen, key=lambda o: o.chosen.cut_offs if o.chosen else 1.0)
        name, point = f"{best.curve.name}, chosen on the tuned part", best.then
    else:
        there = [(o.curve.name, at_wait(o.points, GOAL_WAIT_S)) for o in measured.outcomes]
        name, point = min(there, key=lambda each: each[1].cut_offs if each[1] else 1.0)
    if point is None:
        return "no rule is so fast", False
    good = point.cut_offs <= CUT_OFFS and point.wait_s <= GOAL_WAIT_S
    told = f"{name}: {point.cut_offs:.1%} at {point.wait_s * 1000:.0f} ms"
    return f"{told}, {'met' if good else 'MISSED'}", good


def _figures(points: Sequence[Point]) -> list[str]:
    found = figures(points)
    *shares, wait_s = found.values()
    cells = ["–" if share is None else f"{share:.1%}" for share in shares]
    return [*cells, "–" if wait_s is None else f"{wait_s * 1000:.0f}"]


def _table(title: str, *heads: str) -> Table:
    out = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for head in heads:
        out.add_column(head, justify="left" if head == heads[0] else "right")
    return out


if __name__ == "__main__":
    sys.exit(main())
