"""The numbers of a cell of a sweep: of one recording, of all recordings, and which cells are the best. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.sweep.scoring import Heard, Score, SpeechSpan, score
from webapi.voice_node.report.percentiles import percentiles

Row: TypeAlias = dict[str, Any]  # a cell's settings by their names, then these
HEARD = ("recordings", "starts", "ends", "barge_ins", "superseded", "latency_ms_p50", "latency_ms_p95")
SCORED = (
    *("labelled", "onsets", "found", "missed", "late", "splits", "false_starts", "false_per_minute", "false_barge_ins"),
    *("start_delay_ms_p50", "start_delay_ms_p95", "end_delay_ms_p50", "end_delay_ms_p95", "best"),
)
LATENCY = "latency_speech_end_to_first_bot_chunk_ms"
COUNTED = ("speech_started", "speech_ended", "barge_in", "superseded")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was heard in one recording, with one cell."""

    counts: tuple[int, ...]  # of COUNTED
    latencies_ms: tuple[float, ...]
    notes: tuple[str, ...] = ()  # what was wrong with the recording
    score: Score | None = None  # None: it is not labelled
    false_barge_ins: int = 0  # by starts that were false


def facts(replayed: ReplayResult, labels: Sequence[SpeechSpan] | None) -> Facts:
    """Return the facts of a replay."""
    events = replayed.events
    counts = tuple(sum(event["event"] == name for event in events) for name in COUNTED)
    latencies = tuple(line[LATENCY] for line in replayed.metrics if line[LATENCY] is not None)
    short = ("the file is shorter than its header says; what is there was replayed",) if replayed.truncated else ()
    failed = (f"{replayed.failed_replies} replies failed; replay it to see why",) if replayed.failed_replies else ()
    threads = (f"threads can't run in virtual time: {', '.join(replayed.threads)}",) if replayed.threads else ()
    notes = (*short, *replayed.problems, *threads, *failed)
    if labels is None:
        return Facts(counts, latencies, notes)
    started = [event for event in events if event["event"] == "speech_started"]
    ends = {event["trace_id"]: event["t"] for event in events if event["event"] == "speech_ended"}
    heard = [Heard(e["t"], e["t_first_voiced"], ends.get(e["trace_id"], replayed.seconds)) for e in started]
    scored = score(labels, heard, replayed.seconds)
    false = {event["trace_id"] for event, kind in zip(started, scored.kinds, strict=True) if kind == "false"}
    false_barge_ins = sum(event["event"] == "barge_in" and event["by"] in false for event in events)
    return Facts(counts, latencies, notes, scored, false_barge_ins)


def row(values: Mapping[str, str], heard: Sequence[Facts]) -> Row:
    """Return a cell's row: counts are sums over the recordings, delays those of all turns. None: no such number."""
    latencies = percentiles(ms for each in heard for ms in each.latencies_ms)
    counts = [sum(each.counts[i] for each in heard) for i in range(len(COUNTED))]
    found = [len(heard), *counts, latencies.get("p50"), latencies.get("p95")]
    scores = [each.score for each in heard if each.score]
    scored: list[Any] = [len(scores), *[None] * (len(SCORED) - 1)]
    if scores:
        all_of_them = sum(scores, Score())
        per_minute = all_of_them.false_per_minute
        scored = [
            *(len(scores), all_of_them.labels, all_of_them.found, all_of_them.missed, all_of_them.late),
            *(all_of_them.splits, all_of_them.false, None if per_minute is None else round(per_minute, 3)),
            sum(each.false_barge_ins for each in heard),
            *_spread_ms(all_of_them.start_delays_s),
            *_spread_ms(all_of_them.end_delays_s),
            None,
        ]
    return {**values, **dict(zip(HEARD, found, strict=True)), **dict(zip(SCORED, scored, strict=True))}


def mark_best(rows: Sequence[Row]) -> None:
    """Set `best` in rows with labels: True where no other row is as good in all three `costs` and better in one."""
    every = {costs(row) for row in rows if row["labelled"]}
    for row in rows:
        if row["labelled"]:
            mine = costs(row)
            row["best"] = not any(
                other != mine and all(a <= b for a, b in zip(other, mine, strict=True)) for other in every
            )


def costs(row: Row) -> tuple[float, float, float]:
    """Return the three costs of a row: onsets missed, unwanted starts, and the median ms lost at both ends."""
    delays = (row["start_delay_ms_p50"], row["end_delay_ms_p50"])
    return row["missed"], unwanted(row), math.inf if None in delays else sum(delays)


def unwanted(row: Row) -> int:
    """Return how many starts should not be: where nobody spoke, and in the middle of speech."""
    return int(row["false_starts"] + row["splits"])


def _spread_ms(delays_s: Sequence[float]) -> tuple[float | None, float | None]:
    found = percentiles(s * 1000 for s in delays_s)
    return found.get("p50"), found.get("p95")
