"""Recorded calls with the stage end_of_turn decide the same again; with changes, they ask again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.ends_of_turns import HERE, ONCE, PAUSES, graph, late, plug_in, replayed, says
from tests.stage import Played, play
from webapi.voice_node.clock.off_loop import Compute, at_once
from webapi.voice_node.end_of_turn import Backend, Said
from webapi.voice_node.hearing import smart_turn
from webapi.voice_node.inputs import EndOfTurnAnswered
from webapi.voice_node.recording.recorded_call import read_call
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[[Backend], None]:
    """Puts a backend named `test` beside those of the project."""
    return partial(plug_in, monkeypatch)


def recorded(folder: Path, backend: str, script: list[tuple[str, float]] = PAUSES, **settings: Any) -> Played:
    played = play(script, graph_text=graph(backend), record=folder, **settings)
    assert not played.failures
    return played


def answers(folder: Path) -> list[EndOfTurnAnswered]:
    return [given for given in read_call(folder).inputs() if isinstance(given, EndOfTurnAnswered)]


@pytest.mark.parametrize("compute", [at_once, late(60), late(300), late(700)], ids=["0", "60", "300", "700"])
def test_a_recorded_call_decides_the_same_again_and_asks_nobody(
    tmp_path: Path, plug: Callable[[Backend], None], compute: Compute
) -> None:
    asked = []

    def backend(said: Said) -> float:
        asked.append(said)
        return (len(asked) * 37 % 100) / 100

    plug(backend)
    recorded(tmp_path / "call", "test", mock_reply="tone:1", compute=compute)
    before = len(asked)
    assert before > 2
    assert replayed(tmp_path / "call") == (tmp_path / "call" / "events.jsonl").read_text(encoding="utf-8")
    assert len(asked) == before
    assert all(given.frame >= given.asked + 5 for given in answers(tmp_path / "call"))


def test_how_late_an_answer_came_is_in_the_recording(tmp_path: Path, plug: Callable[[Backend], None]) -> None:
    plug(says(0.5))
    recorded(tmp_path / "call", "test", ONCE, mock_reply="tone:1", compute=late(300))
    (given,) = answers(tmp_path / "call")
    assert 15 <= given.frame - given.asked <= 16
    assert (given.backend, given.done) == ("test", 0.5)


def test_with_changes_the_backend_is_asked_again(tmp_path: Path, plug: Callable[[Backend], None]) -> None:
    plug(says(0.0))
    recorded(tmp_path / "call", "test", ONCE, mock_reply="tone:1")
    plug(says(1.0))
    result = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"vad_speech_start_frames": 5}))
    before, after = (
        next(event["t"] for event in events if event["event"] == "speech_ended")
        for events in (result.before.events if result.before else [], result.events)
    )
    assert before - after == pytest.approx(1.4, abs=0.03)


def test_with_another_graph_words_come_at_their_recorded_time(tmp_path: Path) -> None:
    recorded(tmp_path / "call", "silence", ONCE, orchestrator=f"{HERE}:Listens")
    (tmp_path / "words.yaml").write_text(graph("words"), encoding="utf-8")
    result = replay_call(tmp_path / "call", changes=ReplayChanges(graph=str(tmp_path / "words.yaml")))
    (ended,) = (event for event in result.events if event["event"] == "speech_ended")
    assert ended["done"] == pytest.approx(0.1, abs=0.001)


def test_final_words_come_in_a_changed_replay_while_the_caller_speaks_where_they_did_so(tmp_path: Path) -> None:
    played = recorded(tmp_path / "call", "words", ONCE, orchestrator=f"{HERE}:UnderstandsAtOnce")
    told_at = played.names.index("transcript")
    assert played.of("transcript")[0].text == "Yes."
    assert told_at < played.names.index("speech_ended")
    result = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"publish_track_name": "another"}))
    assert result.diverged is None
    assert result.events == replay_call(tmp_path / "call").events


def test_final_words_of_a_turn_that_never_ended_keep_their_time(tmp_path: Path) -> None:
    played = recorded(
        tmp_path / "call", "words", [("quiet", 0.5), ("speech", 0.8)], orchestrator=f"{HERE}:UnderstandsAtOnce"
    )
    assert "speech_ended" not in played.names
    result = replay_call(tmp_path / "call", changes=ReplayChanges(settings={"publish_track_name": "another"}))
    assert [event["text"] for event in result.events if event["event"] == "transcript"] == ["Yes."]
    assert result.diverged is None


@pytest.mark.parametrize(("recorded_hold", "hold"), [(400, 1500), (1500, 400)])
def test_words_belong_to_the_turns_of_the_replay_also_where_it_has_fewer_or_more(
    tmp_path: Path, recorded_hold: int, hold: int
) -> None:
    two = [("quiet", 0.5), ("speech", 0.6), ("quiet", 0.8), ("speech", 0.6), ("quiet", 3.0)]

    def with_hold(ms: int) -> str:
        return graph("words").replace("{hold_ms: 600, longest_hold_ms: 1600}", f"{{hold_ms: {ms}}}")

    played = play(
        two, graph_text=with_hold(recorded_hold), record=tmp_path / "call", orchestrator=f"{HERE}:KeepsTelling"
    )
    assert not played.failures
    (tmp_path / "changed.yaml").write_text(with_hold(hold), encoding="utf-8")
    result = replay_call(tmp_path / "call", changes=ReplayChanges(graph=str(tmp_path / "changed.yaml")))
    open_turn, seen = None, set()
    for event in result.events:
        if event["event"] == "speech_started":
            open_turn = event["turn_index"]
        if event["event"] == "transcript" and not event["final"]:
            assert event["turn_index"] == open_turn
            seen.add(open_turn)
    assert seen == ({0} if hold == 1500 else {0, 1})


BACKENDS = [
    "silence",
    "words",
    "test",
    pytest.param("smart-turn", marks=pytest.mark.skipif(smart_turn.missing() != (), reason="not installed")),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("orchestrator", ["Talkative", "Understands", "UnderstandsLate", "AsksForDigits"])
def test_every_backend_replays_the_same(
    tmp_path: Path, plug: Callable[[Backend], None], backend: str, orchestrator: str
) -> None:
    plug(lambda said: len(said.pcm) % 1000 / 1000)
    settings: dict[str, Any] = {"orchestrator": f"{HERE}:{orchestrator}"}
    played = recorded(tmp_path / "call", backend, **settings)
    assert replayed(tmp_path / "call") == (tmp_path / "call" / "events.jsonl").read_text(encoding="utf-8")
    assert played.events == recorded(tmp_path / "again", backend, **settings).events
