"""The numbers of a report: counts and percentiles of the turns in metrics.jsonl. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from webapi.voice_node.report.metrics_reader import DUCKS, MEASURES, WAIT, TurnLine, is_prompt, values
from webapi.voice_node.report.percentiles import percentiles

BARGE_IN_STOP = "barge_in_stop_ms"
STAGES = {  # where the time went: from one time of a turn to another
    ("t2_speech_ended", "t3_logic_start"): "hand over to orchestrator",
    ("t3_logic_start", "t4_llm_request_done"): "language model",
    ("t4_llm_request_done", "t5_tts_first_chunk"): "first speech after it",
    ("t3_logic_start", "t5_tts_first_chunk"): "orchestrator, first audio",
    ("t5_tts_first_chunk", "t6_first_bot_audio"): "publish",
}


def summary(turns: Sequence[TurnLine], skipped: int = 0, repeated: int = 0) -> dict[str, Any]:
    """Return counts, and of each measure and stage in ms: n, percentiles and the largest.

    `skipped`: how many lines were no turns; `repeated`: how many were in an earlier file too. A measure without values
    has only its n, which is 0. A prompt is no answer, so only the outcomes of prompts are counted.
    """
    sessions = len({turn.get("session_id") for turn in turns})
    prompts = Counter(str(turn["outcome"]) for turn in turns if is_prompt(turn))
    turns = [turn for turn in turns if not is_prompt(turn)]
    return {
        "turns": len(turns),
        "sessions": sessions,
        "skipped_lines": skipped,
        "repeated_lines": repeated,
        "prompts": dict(prompts),
        "outcomes": dict(Counter(str(turn["outcome"]) for turn in turns)),
        "speech_ends": dict(Counter(turn["speech_end"] for turn in turns if turn.get("speech_end"))),
        "barge_ins": sum(turn.get("barge_in") is True for turn in turns),
        "playbacks_cancelled": sum(turn.get("playback_cancelled") is True for turn in turns),
        **{name: sum(turn.get(name) or 0 for turn in turns) for name in DUCKS},
        "without_wait": sum(WAIT not in turn for turn in turns),  # lines of versions that did not measure it
        "nodes": by_node(turns),
        "parts": parts_of_wait(turns),
        "measures": {name: _spread(values(turns, name)) for name in MEASURES},
        "stages": {stage_name(a, b): _spread(stage_ms(turns, a, b)) for a, b in STAGES},
    }


def by_node(turns: Iterable[TurnLine]) -> dict[str, dict[str, Any]]:
    """Return of each node its counts and the spread of two measures. "" has the turns of lines without a node.

    No time of one node is compared with one of another: each has a clock of its own.
    """
    found: dict[str, list[TurnLine]] = {}
    for turn in turns:
        found.setdefault(turn.get("node") or "", []).append(turn)
    return {
        node: {
            "turns": len(own),
            "sessions": len({turn.get("session_id") for turn in own}),
            "outcomes": dict(Counter(str(turn["outcome"]) for turn in own)),
            "barge_ins": sum(turn.get("barge_in") is True for turn in own),
            **{name: _spread(values(own, name)) for name in (WAIT, BARGE_IN_STOP)},
        }
        for node, own in sorted(found.items())
    }


def parts_of_wait(turns: Iterable[TurnLine]) -> dict[str, dict[str, Any]]:
    """Return of each part of the caller's wait, in the order of a turn: owner, setting, and its spread in ms.

    A part that a turn has twice (the node's) counts with its sum.
    """
    first: dict[str, dict[str, Any]] = {}
    ms: dict[str, list[float]] = {}
    places: dict[str, list[float]] = {}  # in each turn, 0 to 1
    for turn in turns:
        sums: Counter[str] = Counter()
        parts = turn.get("parts") or []
        for place, part in enumerate(parts):
            name = part["name"]
            first.setdefault(name, part)
            if name not in sums:
                places.setdefault(name, []).append(place / len(parts))
            sums[name] += part["ms"]
        for name, total in sums.items():
            ms.setdefault(name, []).append(total)
    in_order = sorted(ms, key=lambda name: sum(places[name]) / len(places[name]))
    return {
        name: {"owner": first[name]["owner"], "setting": first[name]["setting"], **_spread(ms[name])}
        for name in in_order
    }


def stage_name(start: str, end: str) -> str:
    """Return the name of a stage in the numbers: `t2_t3_ms`."""
    return f"{start[:2]}_{end[:2]}_ms"


def stage_ms(turns: Iterable[TurnLine], start: str, end: str) -> list[float]:
    """Return the milliseconds from one time to another, of all turns that have both in this order."""
    return [(turn[end] - turn[start]) * 1000 for turn in turns if has_stage(turn, start, end)]


def has_stage(turn: TurnLine, start: str, end: str) -> bool:
    """Return whether the turn has both times, and in this order: t4 and t5 come when they come."""
    return turn.get(start) is not None and turn.get(end) is not None and turn[start] <= turn[end]


def _spread(numbers: list[float]) -> dict[str, float]:
    largest = {"max": round(max(numbers), 3)} if numbers else {}
    return {"n": len(numbers), **percentiles(numbers), **largest}
