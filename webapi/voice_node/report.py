"""`voice-node report`: what metrics.jsonl says, as percentiles, counts and pictures."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from webapi.voice_node.errors import UserError
from webapi.voice_node.metrics import OUTCOMES, TIMES, percentiles

TurnLine: TypeAlias = dict[str, Any]  # a line of metrics.jsonl
MEASURES = {  # fields in ms, and what they are called for people
    "latency_speech_end_to_first_bot_chunk_ms": "end of speech to first bot audio",
    "latency_user_to_first_bot_chunk_ms": "first voice to first bot audio",
    "barge_in_stop_ms": "caller talks over to bot silent",
    "vad_speech_ms": "voice of the caller",
    "heard_ms": "reply heard",
}
STAGES = {  # where the time went: from one time of a turn to another
    ("t2_speech_ended", "t3_logic_start"): "hand over to orchestrator",
    ("t3_logic_start", "t4_llm_request_done"): "language model",
    ("t4_llm_request_done", "t5_tts_first_chunk"): "first speech after it",
    ("t3_logic_start", "t5_tts_first_chunk"): "orchestrator, first audio",
    ("t5_tts_first_chunk", "t6_first_bot_audio"): "publish",
}
SHOWN_PROBLEMS = 10


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
        from webapi.voice_node.report_pictures import draw  # here: matplotlib is an extra, and slow to import

        for path in draw(turns, out):
            print(f"wrote {path}", file=sys.stderr)
    return 1 if problems and not turns else 0


# ---------------------------------------------------------------- reading


def read_turns(paths: Sequence[str | Path], problems: list[str]) -> Iterator[TurnLine]:
    """The turns of the files, in order. Appends `file:line: what is wrong` to `problems` for each other line."""
    for path in paths:
        if str(path) == "-":
            yield from _turns("<stdin>", sys.stdin.buffer, problems)
            continue
        try:
            with Path(path).open("rb") as file:
                yield from _turns(str(path), file, problems)
        except OSError as error:
            raise UserError(f"{path} can't be read: {error.strerror}") from None


def _turns(name: str, lines: Iterable[bytes], problems: list[str]) -> Iterator[TurnLine]:
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            turn = json.loads(text)
        except (ValueError, RecursionError):  # ValueError: not JSON, or not UTF-8
            problems.append(f"{name}:{number}: not a JSON object, or only a part of one")
            continue
        wrong = _wrong(turn)
        if wrong:
            problems.append(f"{name}:{number}: {wrong}")
        else:
            yield turn


def _wrong(turn: object) -> str | None:
    """Why this is not a line of metrics.jsonl; None where it is one."""
    if not isinstance(turn, dict):
        return "not a JSON object"
    for name in ("trace_id", "outcome"):
        if not isinstance(turn.get(name), str):
            return f"no {name}"
    for name in (*MEASURES, *TIMES):
        value = turn.get(name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not number:
            return f"{name} is neither a number nor null"
    return None


# ---------------------------------------------------------------- numbers


def summary(turns: Sequence[TurnLine], skipped: int = 0) -> dict[str, Any]:
    """Counts, and for each measure and stage in ms: n, percentiles and the largest. Nothing for what has no values."""
    return {
        "turns": len(turns),
        "sessions": len({turn.get("session_id") for turn in turns}),
        "skipped_lines": skipped,
        "outcomes": dict(Counter(str(turn["outcome"]) for turn in turns)),
        "speech_ends": dict(Counter(turn["speech_end"] for turn in turns if turn.get("speech_end"))),
        "barge_ins": sum(turn.get("barge_in") is True for turn in turns),
        "playbacks_cancelled": sum(turn.get("playback_cancelled") is True for turn in turns),
        "measures": {name: _spread(values(turns, name)) for name in MEASURES},
        "stages": {f"{a[:2]}_{b[:2]}_ms": _spread(stage(turns, a, b)) for a, b in STAGES},
    }


def values(turns: Iterable[TurnLine], name: str) -> list[float]:
    """A measure of all turns that have it."""
    return [turn[name] for turn in turns if turn.get(name) is not None]


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
    if not numbers["turns"]:
        return
    console.print("  ".join(f"{escape(name)} {outcomes[name]}" for name in known), highlight=False)
    ends = "  ".join(f"{escape(str(end))} {n}" for end, n in sorted(numbers["speech_ends"].items()))
    if ends:
        console.print(f"speech ended by: {ends}", highlight=False)
    console.print(f"barge-ins {numbers['barge_ins']}, playbacks cancelled {numbers['playbacks_cancelled']}")
    table = Table(box=box.SIMPLE_HEAD, title="milliseconds", title_justify="left")
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
    console.print(table)
