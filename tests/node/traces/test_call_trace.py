"""The trace of a call: what spans there are, from when to when, and what they never tell."""

from __future__ import annotations

import time
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.test_metrics import MS, PROMPT, A, B, answered, asked, ended
from webapi.voice_node.events import (
    BargeIn,
    Event,
    HookFailed,
    Mark,
    PlaybackEnded,
    PlaybackStarted,
    Prompted,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    SpeechStarted,
    Transcript,
)
from webapi.voice_node.node.traces.call_trace import Traces


def traced(events: list[Event], **given: Any) -> list[ReadableSpan]:
    """The spans of a call, in the order in which they ended."""
    exporter = InMemorySpanExporter()
    call = Traces(SimpleSpanProcessor(exporter), "node-1").call("s-1", "default", 0, **{"words": False, **given})
    for event in events:
        call(event)
    call.close()
    return list(exporter.get_finished_spans())


def spans_ms(spans: list[ReadableSpan]) -> dict[str, list[tuple[int, int]]]:
    """From when to when each span is, in ms of the session, by name."""
    (call,) = [span for span in spans if span.name == "call"]
    found: dict[str, list[tuple[int, int]]] = {}
    for span in spans:
        if span is not call:
            times = [(at - (call.start_time or 0)) / 1e6 for at in (span.start_time or 0, span.end_time or 0)]
            assert times == [round(at) for at in times]
            found.setdefault(span.name, []).append((round(times[0]), round(times[1])))
    return found


def of(spans: list[ReadableSpan], name: str) -> ReadableSpan:
    (found,) = [span for span in spans if span.name == name]
    return found


def whole(turn: Any = A) -> list[Event]:
    return [*answered(turn), ReplyEnded(2900 * MS, turn, "completed"), PlaybackEnded(3200 * MS, turn, 1075, True)]


def test_a_turn_is_a_span_of_its_call_and_its_parts_are_children() -> None:
    spans = traced(whole())
    call, turn = of(spans, "call"), of(spans, "turn")
    assert spans_ms(spans) == {
        "turn": [(880, 3200)],
        "speech": [(880, 1800)],
        "endpointing": [(1800, 2000)],
        "node": [(2000, 2001), (2120, 2125)],
        "language_model": [(2001, 2100)],
        "text_to_speech": [(2100, 2120)],
        "playback": [(2125, 3200)],
    }
    assert call.parent is None
    assert turn.parent is not None
    assert turn.parent.span_id == call.context.span_id
    for span in spans:
        assert span.context.trace_id == call.context.trace_id
        if span.name not in ("call", "turn"):
            assert span.parent is not None
            assert span.parent.span_id == turn.context.span_id
    assert turn.attributes is not None
    assert dict(turn.attributes) == {
        "voice_node.trace_id": "a",
        "voice_node.outcome": "completed",
        "voice_node.begun_by": "caller",
        "voice_node.barge_in": False,
        "voice_node.turn_index": 0,
        "voice_node.vad_speech_ms": 500,
        "voice_node.heard_ms": 1075,
        "voice_node.caller_wait_ms": 325.0,
        "voice_node.speech_end": "silence",
    }
    assert call.attributes is not None
    assert (call.attributes["voice_node.session_id"], call.attributes["voice_node.turns"]) == ("s-1", 1)


def test_marks_are_parts_by_their_names_and_a_name_that_is_a_text_is_not_told() -> None:
    marks: list[Event] = [Mark(2050 * MS, A, "speech_to_text"), Mark(2080 * MS, A, "looked up Ada Lovelace")]
    events = whole()
    found = spans_ms(traced([*events[:3], *marks, *events[3:]]))
    assert found["speech_to_text"] == [(2001, 2050)]
    assert found["other"] == [(2050, 2080)]


def test_a_barge_in_is_an_event_at_its_first_voiced_frame_and_the_playback_ends_with_the_flush() -> None:
    events: list[Event] = [
        *answered(A),
        SpeechStarted(2600 * MS, B, 2500 * MS),
        BargeIn(2600 * MS, A, B, 2500 * MS),
        ReplyCut(2600 * MS, A, "barged_in"),
        PlaybackEnded(2601 * MS, A, 475, False),
    ]
    spans = traced(events)
    turn = next(span for span in spans if span.attributes and span.attributes.get("voice_node.trace_id") == "a")
    (told,) = turn.events
    assert told.name == "barge_in"
    assert (told.timestamp - (of(spans, "call").start_time or 0)) / 1e6 == 2500
    assert spans_ms(spans)["playback"] == [(2125, 2601)]
    assert turn.attributes is not None
    assert turn.attributes["voice_node.barge_in_stop_ms"] == 101.0
    assert sum(span.name == "turn" for span in spans) == 2  # the one that is open at the end of the call, too


@pytest.mark.parametrize(("outcome", "code"), [("failed", StatusCode.ERROR), ("empty", StatusCode.UNSET)])
def test_a_turn_that_failed_is_an_error(outcome: Any, code: StatusCode) -> None:
    events = [*asked(A), ReplyEnded(2300 * MS, A, outcome, "Ada was refused"), PlaybackEnded(2300 * MS, A, 0, False)]
    assert of(traced(events), "turn").status.status_code is code


def test_a_prompt_is_a_turn_that_the_bot_began() -> None:
    events: list[Event] = [
        Prompted(1000 * MS, A, PROMPT),
        ReplyStarted(1000 * MS, A),
        PlaybackStarted(1005 * MS, A),
        ReplyEnded(2000 * MS, A, "completed"),
        PlaybackEnded(2005 * MS, A, 1000, True),
    ]
    spans = traced(events)
    attributes = of(spans, "turn").attributes
    assert attributes is not None
    assert attributes["voice_node.begun_by"] == "bot"
    assert spans_ms(spans) == {"turn": [(1000, 2005)], "playback": [(1005, 2005)]}


def test_no_name_and_no_word_is_told_and_words_only_where_they_are_wanted() -> None:
    events = whole()
    said: list[Event] = [
        Transcript(2050 * MS, A, "my name is Ada", "caller"),
        Transcript(2060 * MS, A, "hello Ada", "bot"),
        HookFailed(2070 * MS, A, "stop_playback", "ValueError: Ada"),
    ]
    story = [*events[:3], *said, *events[3:]]
    assert "Ada" not in "".join(span.to_json() for span in traced(story))
    attributes = of(traced(story, words=True), "turn").attributes
    assert attributes is not None
    assert attributes["voice_node.words.caller"] == "my name is Ada"
    assert attributes["voice_node.words.bot"] == "hello Ada"


def test_times_are_those_of_the_wall_clock() -> None:
    now_us = time.monotonic_ns() // 1000
    exporter = InMemorySpanExporter()
    before_ns = time.time_ns()
    call = Traces(SimpleSpanProcessor(exporter), "node-1").call("s-1", "default", now_us, words=False)
    call(SpeechStarted(now_us + 50_000, A, now_us))
    call(ended(now_us // 1000 + 900, A, now_us // 1000))
    call.close()
    began_ns = of(list(exporter.get_finished_spans()), "call").start_time or 0
    assert abs(began_ns - before_ns) < 60e9  # the wall clock, and not the machine's uptime


def test_the_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    resource = of(traced([]), "call").resource.attributes
    assert (resource["service.name"], resource["service.instance.id"]) == ("voice-node", "node-1")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "front-desk")
    assert of(traced([]), "call").resource.attributes["service.name"] == "front-desk"
