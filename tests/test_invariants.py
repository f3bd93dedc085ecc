"""What must hold whatever a caller and an orchestrator do: random calls in virtual time, recorded and replayed."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stage import Played, play
from webapi.voice_node.events import SpeechEnded, Turn
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges

ORCHESTRATORS = (
    "Noted",
    "Ponders",
    "Raises",
    "RaisesMidway",
    "HangsMidway",
    "Empty",
    "Odd",
    "FloodsForever",
    "HooksRaise",
    "Insists",
    "Knows",
    "KnowsAndInsists",
    "Slow",
)
FOLDER = Path(__file__).parents[1] / "graphs"
SOUNDS = ["speech", "speech", "quiet", "quiet", "quiet", "gap", "cut", "stall"]
PIECES = st.tuples(st.sampled_from(SOUNDS), st.integers(1, 130).map(lambda n: n / 100))
SCRIPTS = st.lists(PIECES, min_size=1, max_size=14)


def text_of(graph: str, **arguments: object) -> str:
    """A graph of graphs/, with these arguments of turn_events instead of those that it has; its filler comes soon."""
    text = (FOLDER / f"{graph}.yaml").read_text(encoding="utf-8").replace("prompts/", f"{FOLDER}/prompts/")
    has = re.search(r"( +)- turn_events:(?: \{.*\}|(?:\n\1 {4}.*)+)", text)
    assert has
    text = text.replace(has[0], f"{has[1]}- turn_events: {json.dumps(arguments)}")
    return text.replace("filler_after_ms: 800", "filler_after_ms: 100")


MANNERS: dict[str, object] = {
    "greeting": f"{FOLDER}/prompts/hello.wav",
    "idle_prompt": f"{FOLDER}/prompts/still-there.wav",
    "idle_s": 1,
    "longest_s": 2,
    "patience_ms": 600,
}
COUGH_MS = 500  # of GRAPHS, at most
TIMEOUT_MS = 1100  # longer than the slowest of ORCHESTRATORS thinks
GRAPHS = {
    "default": text_of("default"),
    "cough": text_of("cough", barge_in="pause", patience_ms=800),
    "duck": text_of("duck", barge_in="duck", patience_ms=800),
    "conversation": text_of("conversation", **MANNERS),
    "conversation, duck": text_of("conversation", **MANNERS, barge_in="duck", turn_ms=300, start_frames=1),
    "all of it": text_of("conversation", **MANNERS, barge_in="pause", cough_ms=300, start_frames=1),
}
BY_CALLER = {"speech_started", "speech_ended", "barge_in", "superseded", "prompted", "reply_cut"}
OUTCOMES = {"completed", "barged_in", "superseded", "failed", "timeout", "empty", "closed"}


def check(played: Played, *, stalled: bool) -> None:
    """The invariants. `stalled`: the node stood still, so what the caller's audio decides has an earlier stamp."""
    assert played.failures == []
    assert played.tasks_left == 0
    for by_caller in (True, False):  # what the caller's audio decides has its stamp; where the node stood still, that
        stamps = [event.t_us for event in played.events if (event.name in BY_CALLER) == by_caller]  # is an earlier one
        assert stamps == sorted(stamps)
    started = [event.turn for event in played.events if event.name in ("speech_started", "prompted")]
    assert [turn.number for turn in started] == list(range(len(started)))
    assert sorted(line["trace_id"] for line in played.lines) == [turn.trace_id for turn in started]  # one line a turn
    ended = [event.turn for event in played.of("playback_ended")]
    assert len(ended) == len(set(ended))  # a reply ends once
    check_speech(played, stalled=stalled)
    for line in played.lines:
        times = [value for key, value in line.items() if key[:2] in ("t1", "t2", "t3", "t6") and value is not None]
        assert times == sorted(times)
        assert line["outcome"] in OUTCOMES
        assert line["barge_in"] == (line["outcome"] == "barged_in")
        assert line["playback_cancelled"] <= (line["t6_first_bot_audio"] is not None)
    check_halts(played)
    check_ducks(played)
    check_heard(played)


def check_speech(played: Played, *, stalled: bool) -> None:
    """Nobody starts twice, and what ends is what started. The bot is silent meanwhile, and no words are a cough."""
    speaking: Turn | None = None
    since_us = 0
    for event in played.events:
        if event.name == "speech_started":
            assert speaking is None
            speaking, since_us = event.turn, event.t_us
        elif isinstance(event, SpeechEnded):
            assert speaking == event.turn
            soft = bool(played.of("playback_ducked"))  # then the bot goes on meanwhile
            assert soft or stalled or not [at for at, pcm in played.ear.pushes if pcm and since_us < at < event.t_us]
            assert event.reason != "cough" or event.voiced_ms < COUGH_MS
            speaking = None


def check_halts(played: Played) -> None:
    """What halts was playing and is silent; then it goes on or is over."""
    halted = None
    for event in played.events:
        if event.name == "playback_paused":
            assert halted is None
            halted = event
        elif event.name in ("playback_resumed", "playback_ended") and halted:
            assert event.turn == halted.turn
            assert not [at for at, pcm in played.ear.pushes if pcm and halted.t_us <= at < event.t_us]
            halted = None
        else:
            assert event.name != "playback_resumed"


def check_ducks(played: Played) -> None:
    """A reply becomes soft and loud in turns, while it plays, and its places in the reply go forward."""
    for begun in played.of("playback_started"):
        events: list[Any] = [event for event in played.events if event.turn == begun.turn]
        changes = [event for event in events if event.name in ("playback_ducked", "playback_restored")]
        expected = ["playback_ducked", "playback_restored"] * len(changes)
        assert [event.name for event in changes] == expected[: len(changes)]
        assert [event.sample for event in changes] == sorted(event.sample for event in changes)
        over = next(event for event in played.of("playback_ended") if event.turn == begun.turn)
        assert all(event.heard_ms <= over.heard_ms for event in changes)


def check_heard(played: Played) -> None:
    """Of each reply, what the ear got is what was counted; and nothing of it comes after its cut but the fade."""
    for begun in played.of("playback_started"):
        over = next(e for e in played.of("playback_ended") if e.turn == begun.turn)
        heard_us = sum(len(pcm) * 1_000_000 // 96_000 for at, pcm in played.ear.pushes if begun.t_us <= at < over.t_us)
        assert over.heard_ms == pytest.approx(
            heard_us / 1000, abs=11
        )  # the fade of the reply before may stand in front


CALLS = {"script": SCRIPTS, "orchestrator": st.sampled_from(ORCHESTRATORS), "graph": st.sampled_from(sorted(GRAPHS))}


@given(**CALLS)
@settings(max_examples=80, deadline=None)
def test_it_holds_for_any_call(script: list[tuple[str, float]], orchestrator: str, graph: str) -> None:
    asked = f"tests.orchestrators:{orchestrator}"
    played = play(script, graph_text=GRAPHS[graph], orchestrator=asked, reply_timeout_ms=TIMEOUT_MS)
    check(played, stalled="stall" in dict(script))


@given(**CALLS)
@settings(max_examples=40, deadline=None)
def test_any_recorded_call_decides_the_same_again(
    script: list[tuple[str, float]], orchestrator: str, graph: str
) -> None:
    asked = f"tests.orchestrators:{orchestrator}"
    with tempfile.TemporaryDirectory() as folder:
        call = Path(folder) / "call"
        played = play(script, record=call, graph_text=GRAPHS[graph], orchestrator=asked, reply_timeout_ms=TIMEOUT_MS)
        replayed = replay_call(call)
        told_again = replay_call(call, changes=ReplayChanges(settings={"publish_track_name": "another"}))
        recorded = (call / "events.jsonl").read_text() if (call / "events.jsonl").exists() else ""
    assert "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in replayed.events) == recorded
    assert told_again.diverged is None  # something different without effect: the replies find their utterances
    assert replayed.metrics == played.lines
