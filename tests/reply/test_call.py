"""The call object: what an orchestrator tells and does of its own accord, when it happens, and that it is replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reply.talkative import Talkative
from tests.speech import silence, vowel
from tests.stage import Played, play
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.config import load_settings
from webapi.voice_node.files.json_line import json_line
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.inputs import CallerInfo
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges
from webapi.voice_node.replay.wav_replay import replay

HERE = "tests.reply.talkative"
TURN = [("quiet", 0.5), ("speech", 0.6), ("quiet", 3.0)]
OVER = [("quiet", 0.5), ("speech", 0.6), ("quiet", 1.8), ("speech", 0.6), ("quiet", 4.0)]


def talk(name: str, script: list[tuple[str, float]] = TURN, **settings: Any) -> Played:
    """A call that the orchestrator `name` serves."""
    played = play(script, orchestrator=f"{HERE}:{name}", **settings)
    assert not played.failures
    return played


def texts(played: Played, name: str = "transcript") -> list[str]:
    return [event.text for event in played.of(name)]


def test_hooks_come_once_each_and_the_calls_own_are_first_and_last() -> None:
    talk("Talkative")
    names = [name for name, *_ in Talkative.last.hooks]
    assert names == [
        "on_call_started", "on_speech_started", "get_audio_reply", "on_playback_ended", "on_call_ended",
    ]  # fmt: skip


def test_the_call_says_who_calls() -> None:
    caller = CallerInfo("anna", "Anna", "sip", '{"vip": true}', {"sip.phoneNumber": "+49"})
    talk("Talkative", caller=caller)
    call = Talkative.last.call
    assert (call.session_id, call.room, call.rate) == ("s", "demo", 8000)
    assert CallerInfo(call.identity, call.name, call.kind, call.metadata, dict(call.attributes)) == caller
    with pytest.raises(TypeError):
        call.attributes["sip.phoneNumber"] = "+1"  # type: ignore[index]  # that is the point


def test_words_and_stamps_are_told_with_their_turn_and_metrics_has_the_stamps() -> None:
    played = talk("Talkative")
    assert [(e.text, e.speaker, e.final, e.at_ms) for e in played.of("transcript")] == [
        ("good", "caller", False, None),
        ("Good morning.", "caller", True, None),
        ("Good morning.", "bot", True, 0),
        ("A table for how many people, please?", "bot", True, 500),
    ]
    assert {e.turn.trace_id for e in played.of("transcript")} == {"s-0000"}
    (line,) = played.lines
    (mark,) = played.of("mark")
    assert line["marks"] == {"speech_to_text": pytest.approx(mark.t_us / 1e6)}


def test_a_stamp_that_is_put_just_before_the_first_audio_is_a_part_of_the_wait() -> None:
    played = talk("StampsLate")
    (line,) = played.lines
    assert [part["name"] for part in line["parts"]] == ["endpointing", "text_to_speech"]


def test_all_of_a_reply_that_was_played_to_its_end_was_heard() -> None:
    played = talk("Talkative")
    assert texts(played, "heard_text") == ["Good morning. A table for how many people, please?"]
    assert played.names.index("heard_text") == played.names.index("playback_ended") + 1
    assert Talkative.last.hooks[-2] == ("on_playback_ended", "s-0000", 2000, True, texts(played, "heard_text")[0])


def test_of_a_reply_that_was_cut_the_words_count_that_were_played_whole() -> None:
    played = talk("Talkative", OVER)
    assert "barge_in" in played.names
    ended = played.of("playback_ended")[0]
    said = texts(played, "heard_text")[0]
    assert 500 < ended.heard_ms < 2000
    assert said.startswith("Good morning. A table")
    assert "Good morning. A table for how many people, please?".startswith(said)
    assert (ended.heard_ms - 500) / 1500 == pytest.approx((len(said) - 14) / 36, abs=0.2)


def test_a_hook_with_three_arguments_gets_three() -> None:
    played = play(TURN, orchestrator="tests.orchestrators:Noted")
    assert not played.of("hook_failed")


def test_what_the_bot_says_of_its_own_accord_waits_for_the_caller_and_for_the_reply() -> None:
    played = talk("Announces", [("quiet", 0.7), ("gap", 1.5), *TURN, ("quiet", 2.0)])
    ids = [hook[1] for hook in Talkative.last.hooks if hook[0] == "say"]
    assert ids == ["s-say-0000", "s-say-0001"]
    turns = [(e.name, e.turn.trace_id) for e in played.events if e.name in ("prompted", "speech_ended")]
    assert turns == [("prompted", ids[0]), ("speech_ended", "s-0001"), ("prompted", ids[1])]
    assert [e.turn.number for e in played.of("prompted")] == [0, 2]
    ended = {e.turn.trace_id: e for e in played.of("playback_ended")}
    assert all(e.completed for e in ended.values())
    assert played.of("prompted")[1].t_us == ended["s-0001"].t_us
    assert [e.turn.trace_id for e in played.of("heard_text")] == [ids[0], "s-0001", ids[1]]
    assert texts(played, "heard_text")[0] == "Your table is ready."
    assert [line["outcome"] for line in played.lines] == ["completed"] * 3


def test_what_is_said_of_its_own_accord_can_be_talked_over() -> None:
    played = talk("Announces", [("quiet", 0.6), ("speech", 0.6), ("quiet", 4.0)])
    first = played.lines[0]
    assert (first["trace_id"], first["outcome"]) == ("s-say-0000", "barged_in")


@pytest.mark.parametrize("script", [TURN, [("quiet", 0.5), ("speech", 0.6), ("gap", 3.0)]])
def test_hanging_up_comes_after_what_plays_was_heard(script: list[tuple[str, float]]) -> None:
    played = talk("Leaves", script)
    (hung_up,) = played.of("hung_up")
    (ended,) = played.of("playback_ended")
    assert (hung_up.reason, hung_up.t_us) == ("the caller said goodbye", ended.t_us)
    assert ended.completed


def test_hanging_up_comes_after_what_was_cut() -> None:
    played = talk("Leaves", OVER)
    assert played.names.index("hung_up") > played.names.index("barge_in")
    assert played.of("hung_up")[0].t_us - played.of("barge_in")[0].t_us < 20_000


def test_all_of_it_can_be_done_from_another_thread() -> None:
    played = talk("FromThreads")
    assert texts(played) == ["hello"]
    assert [e.mark for e in played.of("mark")] == ["looked_up"]
    assert [dict(e.message) for e in played.of("message_sent")] == [{"table": [4, None, {"at": "eight"}]}]
    assert [e.completed for e in played.of("playback_ended")] == [True, True]


def test_a_turn_that_is_not_there_is_told_as_a_failed_hook() -> None:
    played = talk("Mistaken", [("quiet", 0.5)])
    assert [(e.hook, e.detail) for e in played.of("hook_failed")] == [
        ("call.transcript", "this call has no turn with the trace_id 's-0007'"),
        ("call.mark", 'this call has no turn with the trace_id "nobody\'s"'),
    ]


@pytest.mark.parametrize(
    ("method", "args", "told"),
    [
        ("transcript", ("s-0000", b"hello"), "text is bytes; a text of at most 10000 bytes is needed"),
        (
            "transcript",
            ("s-0000", "x" * 10_001),
            "text is 10001 characters; a text of at most 10000 bytes is needed",
        ),
        ("transcript", ("my number is 4711", "x", "my number is 4711"), "speaker is 17 characters;"),
        ("transcript", ("s-0000", "ж" * 5_001), "at most 10000 bytes"),
        ("transcript", ("s-0000", "x", "me"), "speaker is 'me'; 'caller' or 'bot' is needed"),
        ("mark", ([], "x"), r"trace_id is list; a text is needed"),
        ("transcript", (17, "x"), "trace_id is 17; a text is needed"),
        ("say", ("hello",), "chunks is str"),
        ("say", ({b"": 1},), "chunks is dict"),
        ("mark", ("s-0000", ""), "a text of 1 to 100 characters"),
        ("send", ("hello",), "message is str; a mapping is needed"),
        ("send", ({"x": float("nan")},), "Out of range float"),
        ("send", ({"x": "y" * 20_000},), "at most 15000 can be sent"),
        ("say", (17,), "chunks is int"),
        ("hang_up", (None,), "reason is None"),
        (
            "expects",
            ("digit",),
            r"expects\('digit'\): there is no such value\. Did you mean 'digits'\? Allowed: ",
        ),
        (
            "expects",
            ("names",),
            r"expects\('names'\): there is no such value\. Allowed: '', 'digits', 'email'",
        ),
        ("expects", (None,), r"expects\(None\): there is no such value\. Allowed: "),
        ("expects", (["digits"],), r"expects\(list\): there is no such value\. Allowed: "),
    ],
)
def test_a_wrong_argument_is_told_where_it_is_given(method: str, args: tuple[Any, ...], told: str) -> None:
    talk("Talkative", [("quiet", 0.1)])
    with pytest.raises((TypeError, ValueError), match=told):
        getattr(Talkative.last.call, method)(*args)


def test_after_the_call_nothing_happens_and_nothing_is_raised() -> None:
    played = talk("Talkative", [("quiet", 0.1)])
    call = Talkative.last.call
    call.transcript("s-0000", "late")
    call.say(b"")
    call.hang_up()
    assert texts(played) == []


SCRIPTS = {
    "words": ("Talkative", TURN),
    "words that are cut": ("Talkative", OVER),
    "of its own accord": ("Announces", [("quiet", 0.7), ("gap", 1.5), *TURN, ("quiet", 2.0)]),
    "talked over": ("Announces", [("quiet", 0.6), ("speech", 0.6), ("quiet", 4.0)]),
    "while the caller stalls": ("Announces", [("quiet", 0.4), ("stall", 0.35), ("quiet", 0.6), *TURN]),
    "hanging up": ("Leaves", TURN),
    "hanging up, cut": ("Leaves", OVER),
    "from threads": ("FromThreads", TURN),
    "mistakes": ("Mistaken", TURN),
}


@pytest.mark.parametrize(("name", "script"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_recorded_call_repeats_all_of_it(tmp_path: Path, name: str, script: list[tuple[str, float]]) -> None:
    played = talk(name, script, record=tmp_path / "call")
    replayed = replay_call(tmp_path / "call")
    assert "".join(map(json_line, replayed.events)) == (tmp_path / "call" / "events.jsonl").read_text(encoding="utf-8")
    assert replayed.metrics == played.lines


@pytest.mark.parametrize("name", ["Talkative", "Announces", "Leaves"])
def test_with_a_change_that_changes_nothing_all_of_it_comes_too(tmp_path: Path, name: str) -> None:
    script = [("quiet", 0.7), ("gap", 1.5), *TURN, ("quiet", 2.0)]
    talk(name, script, record=tmp_path / "call")
    changed = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"vad_preroll_ms": "200"}))
    assert changed.before is not None
    kinds = ("prompted", "transcript", "heard_text", "hung_up", "mark")
    said = [(e["event"], e.get("text"), e["turn_index"]) for e in changed.events if e["event"] in kinds]
    assert said == [(e["event"], e.get("text"), e["turn_index"]) for e in changed.before.events if e["event"] in kinds]


def test_asked_again_the_orchestrator_says_it_again(tmp_path: Path) -> None:
    played = talk("Announces", [("quiet", 0.7), ("gap", 1.5), *TURN, ("quiet", 2.0)], record=tmp_path / "call")
    again = replay_call(tmp_path / "call", changes=ReplayChanges(live=True))
    assert [e["text"] for e in again.events if e["event"] == "heard_text"] == texts(played, "heard_text")


def test_a_recording_replays_up_to_where_the_bot_hangs_up(tmp_path: Path) -> None:
    path = tmp_path / "three.wav"
    write_wav(path, silence(0.5) + (vowel(0.6) + silence(3.0)) * 3, 48_000)
    settings = load_settings(None, orchestrator=f"{HERE}:Leaves")
    result = replay(path, load_graph("default", settings), settings)
    names = [event["event"] for event in result.events]
    assert (names.count("speech_ended"), names.count("hung_up"), names.count("heard_text")) == (1, 1, 1)
    assert 3 < result.seconds < 4


@pytest.mark.parametrize("name", ["OpensSlowly", "SlowHook"])
def test_a_call_that_ends_while_a_hook_waits_is_told_of_last(name: str) -> None:
    played = talk(name, [("quiet", 0.3), ("speech", 0.4), ("quiet", 0.1)])
    assert Talkative.last.hooks[-2:] == [("cancelled",), ("on_call_ended", "closed")]
    assert played.tasks_left == 0


def test_what_fails_at_the_very_end_is_told_beside_the_call() -> None:
    played = play([("quiet", 0.2)], orchestrator=f"{HERE}:EndsBadly")
    (failure,) = played.failures
    assert str(failure) == "the orchestrator's on_call_ended failed: RuntimeError: the summary is lost"


def test_of_a_reply_that_failed_the_rest_was_not_heard() -> None:
    played = talk("DiesInMidSentence")
    assert played.lines[0]["outcome"] == "failed"
    assert texts(played, "heard_text") == ["A table for"]


def test_more_turns_than_can_wait_are_refused() -> None:
    talk("Talkative", [("quiet", 0.1)])
    call = Talkative.last.call
    for _ in range(100):
        call.say(b"")
    with pytest.raises(ValueError, match="100 turns wait to be said already"):
        call.say(b"")


def test_in_a_changed_replay_the_bot_hangs_up_after_the_reply_that_asked_for_it(tmp_path: Path) -> None:
    talk("Leaves", [*TURN, ("quiet", 3.0)], record=tmp_path / "call")
    changed = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"vad_speech_end_frames": "100"}))
    at = {event["event"]: event["t"] for event in changed.events}
    assert at["hung_up"] == at["playback_ended"] > at["speech_ended"]


def test_asked_again_a_call_is_over_when_the_bot_hangs_up(tmp_path: Path) -> None:
    talk("Talkative", [*TURN, *TURN], record=tmp_path / "call")
    changes = ReplayChanges(settings={"orchestrator": f"{HERE}:Leaves"}, live=True)
    again = replay_call(tmp_path / "call", changes=changes)
    assert [event["event"] for event in again.events].count("hung_up") == 1
    assert len(again.metrics) == 1


@pytest.mark.parametrize("name", ["SaysWhatRaises", "SaysWhatExits", "LeavesUnsaid"])
def test_what_can_not_be_said_or_closed_costs_its_own_turn(name: str) -> None:
    played = talk(name, [("quiet", 0.5), ("speech", 0.6), ("quiet", 3.0)])
    assert played.tasks_left == 0
    outcomes = {line["trace_id"]: line["outcome"] for line in played.lines}
    assert outcomes["s-say-0000"] == ("barged_in" if name == "LeavesUnsaid" else "failed")
    assert outcomes["s-0001"] == "completed"


def test_a_bot_hangs_up_once_however_often_it_is_asked() -> None:
    assert len(talk("LeavesOften").of("hung_up")) == 1


def test_no_turn_is_made_up_of_the_number_of_one_that_was_said() -> None:
    played = talk("SaysThenNames", [("quiet", 1.0)])
    (failed,) = played.of("hook_failed")
    assert failed.detail == "this call has no turn with the trace_id 's-0000'"


def test_a_greeting_of_the_graph_waits_for_what_is_said_first() -> None:
    played = talk("SaysThenNames", [("quiet", 6.0)], graph="conversation")
    assert [(e.turn.number, e.completed) for e in played.of("playback_ended")][:2] == [(0, True), (1, True)]
