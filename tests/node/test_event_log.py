"""The events of a session as log lines: a line for each, with its fields and a sentence."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from tests.node.conftest import Lines, Logging
from webapi.voice_node import events
from webapi.voice_node.events import (
    SAY,
    BargeIn,
    Event,
    FramesDropped,
    HeardText,
    HookFailed,
    HungUp,
    Mark,
    MessageSent,
    PlaybackEnded,
    Prompted,
    ReplyEnded,
    SpeechEnded,
    SpeechStarted,
    Transcript,
    Turn,
)
from webapi.voice_node.node.event_log import event_tap, level_of, sentence

TURN = Turn("t-3", 3)


def all_events() -> list[Event]:
    """One of every kind, so that a new kind is not forgotten."""
    values: dict[str, Any] = {
        "t_us": 2_500_000,
        "turn": TURN,
        "by": Turn("t-4", 4),
        "pcm": bytes(320),
        "rate": 8000,
        "reason": "silence",
        "detail": "boom",
        "hook": "on_partial_audio",
        "completed": False,
        "frames": 2,
        "heard_ms": 700,
        "voiced_ms": 300,
        "text": "my number is 4711",
        "speaker": "caller",
        "message": {"number": "4711"},
        "mark": "looked_up",
        "final": True,
        "digit": "4711",  # so that it is found
    }
    outcomes = {"reply_ended": "failed", "reply_cut": "barged_in"}
    made = []
    for kind in vars(events).values():
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event:
            fields: dict[str, Any] = {}
            for name in inspect.signature(kind).parameters:
                own = name.startswith("t_") and name != "t_us"
                fields[name] = 1_000_000 if own else values.get(name, outcomes.get(kind.name))
            made.append(kind(**fields))
    return made


@pytest.mark.parametrize("words", [False, True])
def test_every_kind_of_event_is_one_line_with_its_fields(logging_to: Logging, written: Lines, words: bool) -> None:
    with logging_to(log_level="DEBUG"):
        tap = event_tap("s-1", "demo", 500_000, words=words)
        for event in all_events():
            tap(event)
    lines = written()
    assert any("4711" in str(line) for line in lines) is words
    assert len(lines) == len(all_events()) >= 12
    for line, event in zip(lines, all_events(), strict=True):
        keys = ["time", "level", "message", "node", "event", "trace_id", "session_id", "room", "t", "turn_index"]
        assert list(line)[: len(keys)] == keys
        assert line["event"] == ("playback_stopped" if isinstance(event, PlaybackEnded) else event.name)
        assert (line["trace_id"], line["session_id"], line["room"]) == ("t-3", "s-1", "demo")
        assert (line["t"], line["turn_index"]) == (2.0, 3)
        assert line["message"] == sentence(event, words)
        assert line["level"] == level_of(event, words)
        assert "turn 3" in line["message"]
        assert event.name != line["message"].partition(" (")[0]  # a sentence of its own, not the fallback
    ended = next(line for line in lines if line["event"] == "speech_ended")
    assert (ended["utterance_bytes"], ended["t_first_byte"]) == (320, 0.5)
    assert "pcm" not in ended


def test_what_a_caller_notices_is_info_and_a_bad_reply_a_warning() -> None:
    levels = {event.name: level_of(event) for event in all_events()}
    info = {name for name, level in levels.items() if level == "INFO"}
    assert info == {
        "speech_started",
        "speech_ended",
        "barge_in",
        "superseded",
        "prompted",
        "filler_started",
        "playback_started",
        "playback_paused",
        "playback_resumed",
        "playback_ducked",
        "playback_restored",
        "playback_ended",
        "frames_dropped",
        "hung_up",
        "dtmf",
    }
    with_words = {event.name for event in all_events() if level_of(event, words=True) == "INFO"}
    assert with_words - info == {"transcript", "heard_text", "message_sent"}
    assert levels["reply_ended"] == "WARNING"
    assert level_of(ReplyEnded(0, TURN, "completed")) == "DEBUG"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (SpeechStarted(0, TURN, 0), "caller started talking (turn 3)"),
        (
            SpeechEnded(0, TURN, b"", 8000, 0, 0, 0, 0, 1240, "track muted"),
            "caller stopped talking after 1.24 s of voice (turn 3): track muted",
        ),
        (BargeIn(0, TURN, Turn("x", 4), 0), "caller talked over the bot (turn 3)"),
        (ReplyEnded(0, TURN, "failed", "KeyError: 'x'"), "reply failed (turn 3): KeyError: 'x'"),
        (PlaybackEnded(0, TURN, 820, True), "bot finished, 0.82 s heard (turn 3)"),
        (PlaybackEnded(0, TURN, 820, False), "bot fell silent, 0.82 s heard (turn 3)"),
        (PlaybackEnded(0, TURN, 0, False), "nothing of the reply was heard (turn 3)"),
        (FramesDropped(0, TURN, 5, "late"), "5 frames dropped: late (turn 3)"),
        (Prompted(0, TURN, "hello.wav"), "the bot is to say hello.wav (turn 3)"),
        (Prompted(0, TURN, SAY), "the bot begins a turn (turn 3)"),
    ],
)
def test_sentences(event: Event, text: str) -> None:
    assert sentence(event) == text


@pytest.mark.parametrize(
    ("event", "without", "with_words"),
    [
        (Transcript(0, TURN, "Hello.", "caller"), "caller said (turn 3): 6 characters", "caller said (turn 3): Hello."),
        (
            Transcript(0, TURN, "Hel", "caller", final=False),
            "caller said, so far (turn 3): 3 characters",
            "caller said, so far (turn 3): Hel",
        ),
        (
            Transcript(0, TURN, "x" * 300, "bot"),
            "the bot's words (turn 3): 300 characters",
            f"the bot's words (turn 3): {'x' * 199}…",
        ),
        (
            HeardText(0, TURN, ""),
            "heard of the bot's words (turn 3): 0 characters",
            "heard of the bot's words (turn 3)",
        ),
        (
            MessageSent(0, TURN, {"name": "Zoë"}),
            "message to the room (turn 3): 15 characters",
            'message to the room (turn 3): {"name": "Zoë"}',
        ),
        (Mark(0, TURN, "stt"), *["the orchestrator set a mark (turn 3): stt"] * 2),
        (HungUp(0, TURN, "goodbye"), *["the bot hangs up (turn 3): goodbye"] * 2),
        (HungUp(0, TURN, ""), *["the bot hangs up (turn 3)"] * 2),
    ],
)
def test_sentences_of_words(event: Event, without: str, with_words: str) -> None:
    assert (sentence(event), sentence(event, words=True)) == (without, with_words)


def test_a_hook_that_fails_for_every_frame_is_logged_once_a_turn(logging_to: Logging, written: Lines) -> None:
    with logging_to():
        tap = event_tap("s", "r", 0)
        for index in (1, 2):
            turn = Turn(f"t-{index}", index)
            tap(SpeechStarted(0, turn, 0))
            for _ in range(50):
                tap(HookFailed(0, turn, "on_partial_audio", "boom"))
            tap(HookFailed(0, turn, "on_speech_started", "boom"))
    assert [line["hook"] for line in written() if line["event"] == "hook_failed"] == [
        "on_partial_audio",
        "on_speech_started",
    ] * 2
