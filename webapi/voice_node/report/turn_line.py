"""A turn as a line of metrics.jsonl. Pure."""

from __future__ import annotations

from typing import Any

from webapi.voice_node.events import US_PER_MS, seconds
from webapi.voice_node.report.open_turns import ClosedTurn
from webapi.voice_node.report.parts import parts

OUTCOMES = ("completed", "barged_in", "superseded", "failed", "timeout", "empty", "closed")
TIMES = (
    "t1_first_user_audio",
    "t2_speech_ended",
    "t3_logic_start",
    "t4_llm_request_done",
    "t5_tts_first_chunk",
    "t6_first_bot_audio",
)
SIDES = ("caller", "bot")
ORDERED = (0, 1, 5, 2)  # positions in TIMES of those that the node saw itself, the most trusted first: t1, t2, t6, t3


def in_order(times: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Return the times without those that break t1 ≤ t2 ≤ t3 ≤ t6: of two, the less trusted becomes None.

    t4 and t5 are kept as they are: a streaming language model is done after the first audio of the reply.
    """
    kept: dict[int, int] = {}
    for i in ORDERED:
        t_us = times[i]
        if t_us is not None and all((j < i) == (t < t_us) or t == t_us for j, t in kept.items()):
            kept[i] = t_us
    return tuple(kept.get(i) if i in ORDERED else times[i] for i in range(len(times)))


def turn_line(
    closed: ClosedTurn, *, session_id: str, room: str, graph: str, origin_us: int = 0, words: bool = False
) -> dict[str, Any]:
    """Return the turn as a line of metrics.jsonl. Times are seconds since `origin_us`; what did not happen is None.

    `words`: with what was said.
    """
    turn = closed.turn
    times = in_order(turn.times)
    t1, t2, t6 = times[0], times[1], times[5]
    cut_short = closed.outcome in ("barged_in", "superseded", "closed") and not turn.heard_all
    stop_us = turn.stopped_us if turn.cut else None
    return {
        "trace_id": turn.turn.trace_id,
        "session_id": session_id,
        "room": room,
        "turn_index": turn.turn.number,
        **{name: None if t is None else seconds(t - origin_us) for name, t in zip(TIMES, times, strict=True)},
        "barge_in": turn.barge_us is not None,
        "playback_cancelled": cut_short and t6 is not None,
        "outcome": closed.outcome,
        "latency_user_to_first_bot_chunk_ms": _ms(t1, t6),
        "latency_speech_end_to_first_bot_chunk_ms": _ms(t2, t6),
        "vad_speech_ms": turn.voiced_ms,
        "speech_end": turn.speech_end,
        "heard_ms": turn.heard_ms,
        "barge_in_stop_ms": _ms(turn.barge_us, stop_us),
        "duck_ms": _ms(*(turn.ducked_us or (None, None))),
        "ducked": turn.ducks,
        "duck_restored": turn.restores,
        "duck_stopped": int(closed.outcome == "barged_in" and turn.ducks > turn.restores),
        "caller_wait_ms": _ms(turn.last_voiced_us, t6),
        "marks": {name: seconds(t_us - origin_us) for name, t_us in turn.marks.items()},
        "parts": parts(times, turn.last_voiced_us, turn.marks),
        **({"words": {side: turn.said.get(side) for side in SIDES}} if words else {}),
        "graph": graph,
        **({} if turn.done is None else {"speech_end_done": turn.done}),
        **({} if turn.prompt is None else {"prompt": turn.prompt}),
    }


def _ms(start_us: int | None, end_us: int | None) -> float | None:
    """Return the ms from one time to another; None where one is missing, or the end is before the start."""
    if start_us is None or end_us is None or end_us < start_us:
        return None
    return (end_us - start_us) / US_PER_MS
