"""`voice-node report`: what metrics.jsonl says, as percentiles, counts and pictures."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from webapi.voice_node.metrics import OUTCOMES, percentiles
from webapi.voice_node.report.metrics_reader import MEASURES, TurnLine, is_prompt, read_turns, values

STAGES = {  # where the time went: from one time of a turn to another
    ("t2_speech_ended", "t3_logic_start"): "hand over to orchestrator",
    ("t3_logic_start", "t4_llm_request_done"): "language model",
    ("t4_llm_request_done", "t5_tts_first_chunk"): "first speech after it",
    ("t3_logic_start", "t5_tts_first_chunk"): "orchestrator, first audio",
    ("t5_tts_first_chunk", "t6_first_bot_audio"): "publish",
}
SHOWN_PROBLEMS = 10
TABLE_COLUMNS = 100  # at least: a narrow terminal folds lines more legibly than a table its cells


def report(paths: Sequence[str | Path], out: Path | None = None, as_json: bool = False) -> int:
    """Print what the files say (`-`: standard input), and with `out` draw pictures into that directory.

    Lines that are no turn are told on stderr by file:line and left out. Returns the exit code: 0, or 1 where there
    were lines and not one was a turn. Raises UserError for a file that can't be read, and for `out` without matplotlib.
    """
    problems: list[str] = []
    turns = list(read_turns(paths, problems))
    for problem in problems[:SHOWN_PROBLEMS]:
        print(problem, file=sys.stderr)
    if len(problems) > SHOWN_PROBLEMS:
        print(f"… and {len(problems) - SHOWN_PROBLEMS} more lines like these", file=sys.stderr)
    numbers = summary(turns, skipped=len(problems))
    if as_json:
        print(json.dumps(numbers, indent=2))
    else:
        show(numbers)
    if out is not None and turns:
        from webapi.voice_node.report.plots import draw  # here: matplotlib is an extra, and slow to import

        for path in draw(turns, out):
            print(f"wrote {path}", file=sys.stderr)
    return 1 if problems and not turns else 0


# ---------------------------------------------------------------- numbers


def summary(turns: Sequence[TurnLine], skipped: int = 0) -> dict[str, Any]:
    """Counts, and for each measure and stage in ms: n, percentiles and the largest. Nothing for what has no values.

    What the bot said of its own accord answers nobody: of prompts there are only the outcomes.
    """
    sessions = len({turn.get("session_id") for turn in turns})
    prompts = Counter(str(turn["outcome"]) for turn in turns if is_prompt(turn))
    turns = [turn for turn in turns if not is_prompt(turn)]
    return {
        "turns": len(turns),
        "sessions": sessions,
        "skipped_lines": skipped,
        "prompts": dict(prompts),
        "outcomes": dict(Counter(str(turn["outcome"]) for turn in turns)),
        "speech_ends": dict(Counter(turn["speech_end"] for turn in turns if turn.get("speech_end"))),
        "barge_ins": sum(turn.get("barge_in") is True for turn in turns),
        "playbacks_cancelled": sum(turn.get("playback_cancelled") is True for turn in turns),
        "measures": {name: _spread(values(turns, name)) for name in MEASURES},
        "stages": {f"{a[:2]}_{b[:2]}_ms": _spread(stage(turns, a, b)) for a, b in STAGES},
    }


def stage(turns: Iterable[TurnLine], start: str, end: str) -> list[float]:
    """The ms from one time to another, of all turns that have both."""
    return [
        (turn[end] - turn[start]) * 1000 for turn in turns if turn.get(start) is not None and turn.get(end) is not None
    ]


def _spread(numbers: list[float]) -> dict[str, float]:
    largest = {"max": round(max(numbers), 3)} if numbers else {}
    return {"n": len(numbers), **percentiles(numbers), **largest}


# ---------------------------------------------------------------- for people


def show(numbers: dict[str, Any], console: Console | None = None) -> None:
    """Print a summary as tables."""
    console = console or Console()
    outcomes = numbers["outcomes"]
    known = [name for name in OUTCOMES if name in outcomes] + sorted(outcomes.keys() - set(OUTCOMES))
    counts = [(numbers[name], name if numbers[name] != 1 else name[:-1]) for name in ("turns", "sessions")]
    console.print(", ".join(f"{n} {what}" for n, what in counts))
    if numbers["prompts"]:
        said = "  ".join(f"{escape(outcome)} {n}" for outcome, n in numbers["prompts"].items())
        console.print(f"prompts: {said}", highlight=False)
    if not numbers["turns"]:
        return
    console.print("  ".join(f"{escape(name)} {outcomes[name]}" for name in known), highlight=False)
    ends = "  ".join(f"{escape(str(end))} {n}" for end, n in sorted(numbers["speech_ends"].items()))
    if ends:
        console.print(f"speech ended by: {ends}", highlight=False)
    console.print(f"barge-ins {numbers['barge_ins']}, playbacks cancelled {numbers['playbacks_cancelled']}")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, title="milliseconds", title_justify="left")
    columns = ("n", "p50", "p90", "p95", "p99", "max")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    named = [(label, numbers["measures"][name]) for name, label in MEASURES.items()]
    stages = [
        (f"{a[:2]} → {b[:2]}  {label}", numbers["stages"][f"{a[:2]}_{b[:2]}_ms"]) for (a, b), label in STAGES.items()
    ]
    for group in (named, stages):
        for label, spread in group:
            cells = [f"{spread[c]:.0f}" if c in spread else "–" for c in columns]
            table.add_row(label, *cells)
        table.add_section()
    console.width = max(console.width, TABLE_COLUMNS)
    console.print(table)
