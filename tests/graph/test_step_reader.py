"""Operators that do not fit their signature or what flows in are refused with the place and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.graph.good_graph import assert_refused, changed, read
from webapi.voice_node.config import load_settings
from webapi.voice_node.graph.reader import read_graph

WRONG = {
    "unknown operator": (
        changed("resample: {rate: 8000}", "resampel: {rate: 8000}"),
        "g.yaml:5:16: there is no operator 'resampel'. Did you mean 'resample'?",
    ),
    "two operators in one": (
        changed("{resample: {rate: 8000}}, {window: {ms: 20}}", "{resample: {rate: 8000}, window: {ms: 20}}"),
        "an operator is written {name:",
    ),
    "arguments are a number": (
        changed("{window: {ms: 20}}", "{window: 20}"),
        "window: arguments are written",
    ),
    "unknown argument": (
        changed("{ms: 20}", "{msec: 20}"),
        "g.yaml:5:51: window: there is no argument 'msec'. Did you mean 'ms'? It takes: ms",
    ),
    "missing argument": (
        changed("{rate: 8000}", "{}"),
        "g.yaml:5:16: resample: the argument 'rate' is missing",
    ),
    "argument twice": (changed("{ms: 20}", "{ms: 20, ms: 30}"), "window: 'ms' stands here twice"),
    "rate not allowed": (
        changed("rate: 8000", "rate: 8001"),
        "resample: rate: 8001: input should be 8000, 16000 or 48000",
    ),
    "wrong type": (changed("ms: 20", "ms: twenty"), "window: ms: 'twenty': input should be a valid integer"),
    "text for a number": (
        changed("start_frames: 6", "start_frames: '6'"),
        "turn_events: start_frames: '6': input should be a valid integer",
    ),
    "out of range": (
        changed("start_frames: 6", "start_frames: 0"),
        "turn_events: start_frames: 0: input should be greater than or equal to 1",
    ),
    "unknown setting": (
        changed("start_frames: 6", "start_frames: ${VAD_START}"),
        "${VAD_START}: there is no such setting.",
    ),
    "a secret": (
        changed("orchestrator: mock", "orchestrator: ${LIVEKIT_API_SECRET}"),
        "a secret has no place in a graph",
    ),
    "48 kHz into the VAD": (
        changed("{resample: {rate: 8000}}, ", ""),
        "vad can't take frames 48 kHz 20 ms; it takes frames 8 kHz 10 ms or",
    ),
    "audio into the VAD": (
        changed(", {window: {ms: 20}}", ""),
        "vad can't take audio 8 kHz; it takes frames 8 kHz",
    ),
    "turns into resample": (
        changed("[{reply: {orchestrator: mock, playback: playback}}]", "[{resample: {rate: 48000}}]"),
        "resample can't take turns 8 kHz; it takes audio or replies",
    ),
    "wrong stream argument": (
        changed("mock, playback: playback", "mock, playback: frames"),
        "reply: playback: 'frames' carries frames 8 kHz 20 ms, playback is needed",
    ),
    "stream argument from nowhere": (
        changed("mock, playback: playback", "mock, playback: playbak"),
        "there is no stream 'playbak'. Did you mean 'playback'?",
    ),
    "frames of two lengths": (
        changed("- vad: {backend: webrtc}\n", "- vad\n      - combine: {other: short, rule: both}\n").replace(
            "  turns:\n",
            "  short:\n    from: caller\n    through: [{resample: {rate: 8000}}, {window: {ms: 10}}, vad]\n  turns:\n",
            1,
        ),
        "combine: other: 'short' carries voiced 8 kHz 10 ms, what flows in is voiced 8 kHz 20 ms: frames meet only",
    ),
    "a tap into no WAV": (
        changed("{window: {ms: 20}}", "{tap: {file: voice_node.log}}, {window: {ms: 20}}"),
        "g.yaml:5:54: tap: file: 'voice_node.log': string should match pattern",
    ),
    "stream argument missing": (
        changed("{window: {ms: 20}}", "{window: {ms: 20}}, vad, {combine: {rule: both}}"),
        "combine: the argument 'other' is missing; it names a stream of voiced",
    ),
    "a VAD that is not there": (
        changed("backend: webrtc", "backend: wrbtc"),
        "g.yaml:9:24: vad: backend: 'wrbtc': there is no such backend. Did you mean 'webrtc'? There are: confirm",
    ),
    "an orchestrator that is not there": (
        changed("orchestrator: mock", "orchestrator: mok"),
        "g.yaml:13:38: reply: orchestrator: 'mok': there is none of that name. Did you mean 'mock'? There are: ",
    ),
    "an orchestrator that is no class's path": (
        changed("orchestrator: mock", "orchestrator: 'my bot:Bot'"),
        "g.yaml:13:38: reply: orchestrator: 'my bot:Bot': this is no package.module:Class.",
    ),
    "an orchestrator without a class": (
        changed("orchestrator: mock", "orchestrator: 'my_bot:'"),
        "'my_bot:': this is no package.module:Class.",
    ),
    "an empty orchestrator": (changed("orchestrator: mock", "orchestrator: ''"), "'': there is none of that name."),
    "an utterance shorter than its pre-roll": (
        changed("end_frames: 10,", "end_frames: 10, preroll_ms: 2000, longest_s: 2,"),
        "g.yaml:10:9: turn_events: longest_s: 2: an utterance has at least 2.2 s here: 2000 ms up to its start",
    ),
    "an utterance shorter than what starts it": (
        changed("start_frames: 6, end_frames: 10,", "start_frames: 50, end_frames: 1, longest_s: 1,"),
        "turn_events: longest_s: 1: an utterance has at least 1.02 s here: 1000 ms up to its start",
    ),
    "an utterance shorter than the patience": (
        changed("end_frames: 10,", "end_frames: 10, patience_ms: 7900, longest_s: 8,"),
        "at least 8.14 s here: 240 ms up to its start (preroll_ms, start_frames) and 7900 ms of patience_ms",
    ),
    "less patience than with everybody": (
        changed("end_frames: 10,", "end_frames: 10, patience_ms: 200,"),
        "patience_ms: 200: end_frames waits 200 ms already",
    ),
    "a hold that is none": (
        changed("end_frames: 10,", "end_frames: 10, hold_ms: 200,"),
        "turn_events: hold_ms: 200: end_frames waits 200 ms already; give more, or 0",
    ),
    "a longest hold that is not the longest": (
        changed("end_frames: 10,", "end_frames: 10, hold_ms: 800, longest_hold_ms: 600,"),
        "turn_events: longest_hold_ms: 600: hold_ms waits 800 ms already; give more, or 0",
    ),
    "done before it is open": (
        changed("end_frames: 10,", "end_frames: 10, done_at: 0.3, open_at: 0.3,"),
        "turn_events: open_at: 0.3: it must be less than done_at, which is 0.3",
    ),
    "an utterance shorter than its longest hold": (
        changed("end_frames: 10,", "end_frames: 10, longest_hold_ms: 2000, longest_s: 2,"),
        "at least 2.24 s here: 240 ms up to its start (preroll_ms, start_frames) and 2000 ms of longest_hold_ms",
    ),
    "an end of turn that is not there": (
        changed("- vad: {backend: webrtc}\n", "- vad: {backend: webrtc}\n      - end_of_turn: {backend: wrds}\n"),
        "g.yaml:10:32: end_of_turn: backend: 'wrds': there is no such backend. Did you mean 'words'?",
    ),
    "a model that is not there": (
        changed("- vad: {backend: webrtc}\n", "- vad\n      - end_of_turn: {backend: silence, model: x.onnx}\n"),
        "g.yaml:10:48: end_of_turn: model: 'x.onnx': there is no such file",
    ),
    "an end of turn asked twice": (
        changed("- vad: {backend: webrtc}\n", "- vad\n      - end_of_turn: {backend: words}\n      - end_of_turn\n"),
        "g.yaml:11:9: end_of_turn: there is one in line 10 already: a turn has one answer with each frame",
    ),
    "a longest hold that nothing asks for": (
        changed("end_frames: 10,", "end_frames: 10, longest_hold_ms: 2000,"),
        "g.yaml:10:9: turn_events: longest_hold_ms: 2000: nothing waits so long without an answer, and no end_of_turn",
    ),
    "answers that come too late": (
        changed(
            "- vad: {backend: webrtc}\n", "- vad\n      - end_of_turn: {backend: words, ask_ms: 150, answer_ms: 300}\n"
        ),
        "g.yaml:10:9: end_of_turn: no answer is ever in time: it counts 460 ms after the voice (ask_ms 160, answer_ms "
        "300), and turn_events in line 11 ends the turn after 200 ms (end_frames). Make these two shorter, or give "
        "hold_ms: 460",
    ),
    "a language that is not there": (
        changed("- vad: {backend: webrtc}\n", "- vad\n      - end_of_turn: {backend: words, language: xx}\n"),
        "end_of_turn: language: 'xx': there is no such language. There are: en, de, es",
    ),
    "a language that is another's code": (
        changed("- vad: {backend: webrtc}\n", "- vad\n      - end_of_turn: {backend: words, language: eng-US}\n"),
        "end_of_turn: language: 'eng-US': there is no such language. Did you mean 'en'? There are: en, de, es",
    ),
    "a language for silence": (
        changed("- vad: {backend: webrtc}\n", "- vad\n      - end_of_turn: {backend: silence, language: en}\n"),
        "g.yaml:10:9: end_of_turn: language: only the backend words takes one",
    ),
    "an utterance shorter than what is no cough": (
        changed("end_frames: 10,", "end_frames: 10, barge_in: pause, cough_ms: 900, longest_s: 1,"),
        "g.yaml:10:9: turn_events: cough_ms: 900: nobody could interrupt a reply: "
        "whoever talks for longest_s (1 s, with preroll_ms) is still taken for a cough",
    ),
    "an utterance shorter than what ends it": (
        changed("end_frames: 10,", "end_frames: 400, longest_s: 8,"),
        "at least 8.24 s here: 240 ms up to its start (preroll_ms, start_frames) and 8000 ms of end_frames",
    ),
    "a rate that is text": (
        changed("rate: 8000", "rate: 8 kHz"),
        "g.yaml:5:33: resample: rate: '8 kHz': input should be",
    ),
    "an engine that is not there": (
        changed("rate: 8000", "rate: 8000, engine: soxr"),
        "resample: engine: 'soxr': input should be 'fir', 'soxr-qq'",
    ),
    "a rule that is not there": (
        changed("end_frames: 10,", "end_frames: 10, barge_in: cutt,"),
        "turn_events: barge_in: 'cutt': input should be 'stop', 'pause', 'duck' or 'ignore'",
    ),
    "a window that is too long": (
        changed("ms: 20", "ms: 2000"),
        "window: ms: 2000: input should be less than or equal",
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_operator_is_refused_with_place_and_reason(text: str, expected: str) -> None:
    assert_refused(text, expected)


LATE = "end_of_turn: {backend: words, ask_ms: 100, answer_ms: 300}"


@pytest.mark.parametrize(
    ("stage", "waits"),
    [
        (LATE, "hold_ms: 400"),
        (LATE, "patience_ms: 400"),
        (LATE.replace("words", "silence"), ""),  # it asks nobody
        ("end_of_turn: {backend: words}", "longest_hold_ms: 900"),  # just in time for end_frames
        ("end_of_turn", "longest_hold_ms: 900"),  # the backend is what is tried out
    ],
)
def test_answers_that_can_be_used_are_right(stage: str, waits: str) -> None:
    text = changed("- vad: {backend: webrtc}\n", f"- vad\n      - {stage}\n")
    read(text.replace("end_frames: 10,", f"end_frames: 10, {waits}{',' if waits else ''}"))


def test_the_end_of_turn_may_be_in_another_stream() -> None:
    split = "- vad\n      - end_of_turn: {backend: words}\n  turns:\n    from: voiced\n    through:\n"
    text = changed("- vad: {backend: webrtc}\n", split).replace(
        "  turns:\n    from: frames", "  voiced:\n    from: frames", 1
    )
    read(text.replace("end_frames: 10,", "end_frames: 10, longest_hold_ms: 900,"))


def test_in_a_recorded_call_a_useless_wait_is_no_mistake() -> None:
    text = changed("end_frames: 10,", "end_frames: 10, longest_hold_ms: 2000,")
    assert read_graph(text, Path("g.yaml"), load_settings(), recorded=True).streams
