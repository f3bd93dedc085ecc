"""Keys of the caller's phone: an event and a hook, in order with the others, recorded and replayed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reply.talkative import Talkative
from tests.reply.test_prompts import KNOWS, prompting
from tests.stage import Played, play
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import as_digit
from webapi.voice_node.files.json_line import json_line
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges
from webapi.voice_node.replay.marbles import marbles, parse, render
from webapi.voice_node.replay.timeline.build import timeline
from webapi.voice_node.replay.timeline.svg import svg
from webapi.voice_node.replay.timeline.wave import Outline

HERE = "tests.reply.keypads"
PIN = [
    *(("quiet", 0.5), ("key 4", 0), ("quiet", 0.1), ("key 7", 0), ("speech", 0.6), ("quiet", 0.1), ("key 1", 0)),
    *(("quiet", 1.5), ("key #", 0), ("quiet", 2.0), ("key *", 0), ("quiet", 0.5)),
]


def talk(name: str, script: list[tuple[str, float]] = PIN, **settings: Any) -> Played:
    """A call that the orchestrator `name` serves."""
    played = play(script, orchestrator=f"{HERE}:{name}", **settings)
    assert not played.failures
    return played


def hooks(*names: str) -> list[tuple[Any, ...]]:
    """The hooks of these names that were called, in order."""
    return [hook for hook in Talkative.last.hooks if hook[0] in names]


def test_each_key_is_an_event_of_the_latest_turn_and_a_call_of_the_hook() -> None:
    played = talk("Keypad")
    assert [(e.digit, e.turn.number, e.t_us) for e in played.of("dtmf")] == [
        ("4", 0, 500_000), ("7", 0, 600_000), ("1", 0, 1_300_000), ("#", 0, 2_800_000), ("*", 0, 4_800_000),
    ]  # fmt: skip
    assert hooks("on_dtmf") == [("on_dtmf", digit) for digit in "471#*"]
    assert [line["outcome"] for line in played.lines] == ["completed"]  # a key alone stops no reply


def test_plain_hooks_come_in_the_order_of_their_causes() -> None:
    talk("Keypad")
    assert [name for name, *_ in Talkative.last.hooks] == [
        *("on_call_started", "on_dtmf", "on_dtmf", "on_speech_started", "on_dtmf", "get_audio_reply"),
        *("on_dtmf", "on_playback_ended", "on_dtmf", "on_call_ended"),
    ]


def test_async_hooks_wait_for_those_before_them() -> None:
    talk("SlowKeypad", [("key 4", 0), ("key 7", 0), ("speech", 0.5), ("key 1", 0), ("quiet", 3.0)])
    assert [hook[:2] for hook in hooks("ready", "on_dtmf", "done", "on_speech_started", "on_call_started")] == [
        ("on_call_started",), ("ready",), ("on_dtmf", "4"), ("done", "4"), ("on_dtmf", "7"), ("done", "7"),
        ("on_speech_started", "s-0000"), ("on_dtmf", "1"), ("done", "1"),
    ]  # fmt: skip


def test_a_hook_that_fails_is_an_event_and_the_next_key_is_told() -> None:
    played = talk("ShortMenu", [("key 9", 0), ("quiet", 0.1), ("key 2", 0), ("quiet", 0.1)])
    assert [(e.hook, e.detail) for e in played.of("hook_failed")] == [("on_dtmf", "KeyError: '9'")]
    assert hooks("support") == [("support",)]


def test_an_orchestrator_without_the_hook_is_not_told() -> None:
    played = play(PIN, orchestrator="tests.reply.talkative:Talkative")
    assert len(played.of("dtmf")) == 5
    assert not played.of("hook_failed")


def test_a_reply_that_its_orchestrator_ends_at_a_key_is_over_within_what_is_queued() -> None:
    played = talk("StopsAtAKey", [("speech", 0.5), ("quiet", 3.0), ("key 5", 0), ("quiet", 3.0)])
    (key,), ended = played.of("dtmf"), played.of("playback_ended")
    assert 0 <= ended[0].t_us - key.t_us <= 420_000  # `ahead_ms` of the operator reply, and a chunk
    assert [(e.turn.trace_id, e.completed) for e in ended] == [("s-0000", True), ("s-say-0000", True)]


def test_who_presses_a_key_is_there_so_no_idle_prompt_comes() -> None:
    def prompts(script: list[tuple[str, float]]) -> list[int]:
        graph = prompting(idle_prompt="hm", idle_s=2)
        return [e.t_us for e in play(script, graph_text=graph, orchestrator=KNOWS).of("prompted")]

    assert len(prompts([("quiet", 2.5)])) == 1
    assert prompts([("quiet", 1.5), ("key 1", 0), ("quiet", 1.5), ("key 2", 0), ("quiet", 1.5)]) == []
    assert len(prompts([("quiet", 1.5), ("key 1", 0), ("quiet", 2.5)])) == 1


def test_in_a_graph_without_a_reply_keys_are_events_too() -> None:
    assert [e.digit for e in play(PIN, graph="vad-only").of("dtmf")] == list("471#*")


@pytest.mark.parametrize("name", ["Keypad", "SlowKeypad", "ShortMenu", "StopsAtAKey"])
def test_a_recorded_call_with_keys_decides_the_same_again(tmp_path: Path, name: str) -> None:
    played = talk(name, record=tmp_path / "call")
    replayed = replay_call(tmp_path / "call")
    again = "".join(map(json_line, replayed.events))
    assert again == (tmp_path / "call" / "events.jsonl").read_text(encoding="utf-8")
    assert again.count('"event": "dtmf"') == 5
    assert replayed.metrics == played.lines


def test_in_a_changed_replay_the_keys_are_pressed_when_they_were(tmp_path: Path) -> None:
    talk("Keypad", record=tmp_path / "call")
    changed = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"vad_speech_end_frames": "30"}))
    of_call = [json.loads(line) for line in (tmp_path / "call" / "events.jsonl").read_text().splitlines()]
    keys = [[(e["t"], e["digit"]) for e in each if e["event"] == "dtmf"] for each in (of_call, changed.events)]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 5


def test_an_orchestrator_that_is_asked_again_is_told_the_keys(tmp_path: Path) -> None:
    talk("Keypad", record=tmp_path / "call")
    changes = ReplayChanges(settings={"orchestrator": f"{HERE}:ShortMenu"}, live=True)
    again = replay_call(tmp_path / "call", changes=changes)
    assert [e["detail"] for e in again.events if e["event"] == "hook_failed"][:1] == ["KeyError: '4'"]


@pytest.mark.parametrize("digit", ["12", "", "x", 5])
def test_a_recording_with_what_is_no_key_is_refused_with_its_line(tmp_path: Path, digit: object) -> None:
    talk("Keypad", record=tmp_path / "call")
    inputs = tmp_path / "call" / "inputs.jsonl"
    lines = inputs.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if '"key"' in line)
    lines[at] = json.dumps({**json.loads(lines[at]), "digit": digit})
    inputs.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=rf"inputs.jsonl:{at + 1}: .*digit is"):
        replay_call(tmp_path / "call")


def test_keys_are_in_marbles_and_in_the_picture(tmp_path: Path) -> None:
    talk("Keypad", record=tmp_path / "call")
    replayed = replay_call(tmp_path / "call")
    text = render(replayed)
    listed = [line.split() for line in text.splitlines() if "  dtmf  " in line]
    assert [(letter, digit) for _, letter, _, _, digit in listed] == [("D", digit) for digit in "471#*"]
    assert parse(text) == marbles(replayed)
    silent = Outline(5.3, 0.01, np.zeros((2, 530), np.uint8))
    picture = svg(timeline(replayed), silent)
    assert picture.count('data-event="dtmf"') == 5
    assert ": dtmf, turn 0: #<" in picture


def test_what_is_no_key_is_none() -> None:
    assert [as_digit(text) for text in ("5", "*", "#", "a", "D")] == ["5", "*", "#", "A", "D"]
    assert [as_digit(text) for text in ("", "10", "E", "flash", "５", "\n5")] == [None] * 6


@pytest.mark.parametrize(
    ("kind", "attributes", "number"),
    [
        ("sip", {"sip.phoneNumber": "+4930123"}, "+4930123"),
        ("sip", {}, ""),
        ("standard", {"sip.phoneNumber": "+4930123"}, ""),  # any client can set that
    ],
)
def test_the_call_has_the_number_of_a_phone(kind: str, attributes: dict[str, str], number: str) -> None:
    talk("Keypad", [("quiet", 0.1)], caller=CallerInfo("sip_1", "", kind, "", attributes))
    assert Talkative.last.call.number == number
