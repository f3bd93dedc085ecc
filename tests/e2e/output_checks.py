"""Checks of metrics.jsonl and of the log that hold for every turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

TIMES = (
    "t1_first_user_audio",
    "t2_speech_ended",
    "t3_logic_start",
    "t4_llm_request_done",
    "t5_tts_first_chunk",
    "t6_first_bot_audio",
)
FIELDS = {
    "trace_id",
    "session_id",
    "room",
    "turn_index",
    *TIMES,
    "barge_in",
    "playback_cancelled",
    "outcome",
    "latency_user_to_first_bot_chunk_ms",
    "latency_speech_end_to_first_bot_chunk_ms",
    "vad_speech_ms",
    "speech_end",
    "heard_ms",
    "barge_in_stop_ms",
    "duck_ms",
    "ducked",
    "duck_restored",
    "duck_stopped",
    "caller_wait_ms",
    "marks",
    "parts",
    "graph",
}
KEY_EVENTS = {
    "graph_loaded",
    "join",
    "publish",
    "subscribe",
    "speech_started",
    "speech_ended",
    "barge_in",
    "playback_started",
    "playback_stopped",
    "leave",
}
NAME_IN_LOG = {"playback_ended": "playback_stopped"}  # the other events have the same name in log and messages


def check_line(line: Mapping[str, Any], room: str) -> None:
    """A line of metrics.jsonl has exactly its fields, its times in order, and latencies that are their differences."""
    assert set(line) - {"node"} == FIELDS  # only those of a file have the node's name
    assert line["room"] == room
    assert line["graph"] == "default"
    times = {name[:2]: line[name] for name in TIMES if line[name] is not None}
    ordered = [times[name] for name in ("t1", "t2", "t3", "t6") if name in times]
    assert ordered == sorted(ordered), line
    assert all(time > 0 for time in times.values())
    t1, t2, t6 = line["t1_first_user_audio"], line["t2_speech_ended"], line["t6_first_bot_audio"]
    for name, since in (
        ("latency_user_to_first_bot_chunk_ms", t1),
        ("latency_speech_end_to_first_bot_chunk_ms", t2),
    ):
        expected = None if since is None or t6 is None else pytest.approx((t6 - since) * 1000, abs=0.01)
        assert line[name] == expected
    assert line["barge_in"] == (line["outcome"] == "barged_in") == (line["barge_in_stop_ms"] is not None)
    if line["barge_in"]:
        assert line["barge_in_stop_ms"] > 0
        assert line["playback_cancelled"]
    if line["outcome"] == "completed":
        assert not line["playback_cancelled"]
        assert all(line[name] is not None for name in TIMES if name != "t4_llm_request_done")  # it may not tell of that


def check_log(log: Iterable[Mapping[str, Any]], told: Iterable[Mapping[str, Any]], room: str) -> None:
    """Every line has time, level and message, every event of a turn its ids; the room's clients got the same events.

    `log`: the lines of a node that has ended, logged DEBUG and had one session. `told`: the messages to the caller.
    """
    lines = list(log)
    assert {line.get("event") for line in lines} >= KEY_EVENTS
    assert all({"time", "level", "message", "event"} <= set(line) for line in lines)
    of_turns = [line for line in lines if "trace_id" in line]
    assert all(line["room"] == room and line["session_id"] for line in of_turns)
    logged = [(line["event"], line["trace_id"], line["session_id"], line["t"]) for line in of_turns]
    heard = [
        (NAME_IN_LOG.get(event["event"], event["event"]), event["trace_id"], event["session_id"], event["t"])
        for event in told
        if event["event"] not in ("turn", "listening_to")
    ]
    assert heard == logged[: len(heard)]  # the last ones may be of a reply that was cut when the caller had gone
