"""Whole sessions with the stage end_of_turn: when turns end, and that recorded calls decide the same again."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import stage
from tests.stage import Played, play
from webapi.voice_node.clock.off_loop import Compute, at_once
from webapi.voice_node.end_of_turn import Backend, Said
from webapi.voice_node.files.json_line import json_line
from webapi.voice_node.hearing import smart_turn
from webapi.voice_node.inputs import EndOfTurnAnswered
from webapi.voice_node.plugins import Plugins
from webapi.voice_node.recording.recorded_call import read_call
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges

MODULE = importlib.import_module("webapi.voice_node.end_of_turn")
HERE = "tests.reply.talkative"
GRAPH = """\
version: 1
streams:
  frames:
    from: caller
    through: [resample: {rate: 8000}, window: {ms: 20}]
  turns:
    from: frames
    through:
      - vad: {backend: webrtc}
      - end_of_turn: {backend: BACKEND}
      - turn_events: {hold_ms: 600, longest_hold_ms: 1600}
  voice:
    from: turns
    through: [reply: {orchestrator: "${ORCHESTRATOR}"}, resample: {rate: 48000}]
outputs: {speaker: voice, events: turns}
"""
ONCE = [("quiet", 0.5), ("speech", 0.6), ("quiet", 3.0)]
PAUSES = [("quiet", 0.5), *[("speech", 0.6), ("quiet", 0.5)] * 3, ("quiet", 3.0), ("speech", 0.6), ("quiet", 4.0)]


def graph(backend: str) -> str:
    return GRAPH.replace("BACKEND", backend)


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[[Backend], None]:
    """Puts a backend named `test` beside those of the project."""

    def plug(backend: Backend) -> None:
        table = Plugins("end of turn", "none", {**MODULE.BUILT_IN, "test": backend})
        monkeypatch.setattr(MODULE, "BACKENDS", table)

    return plug


def says(answer: float) -> Backend:
    return lambda _: answer


def late(ms: int) -> Compute:
    """A thread that takes so long, in virtual time."""

    def compute(job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        asyncio.get_running_loop().call_later(ms / 1000, lambda: done(job()))

    return compute


def ended(backend: str, script: list[tuple[str, float]] = ONCE, **settings: Any) -> list[Any]:
    played = play(script, graph_text=graph(backend), mock_reply="tone:0.5", **settings)
    assert not played.failures
    return played.of("speech_ended")


def frames_of(events: list[Any]) -> list[int]:
    return [event.frame for event in events]


@pytest.mark.parametrize(
    ("answer", "later"), [(1.0, 0), (0.7, 0), (0.5, 35), (0.3, 70), (0.0, 70)]
)  # later: frames than the shortest wait
def test_the_answer_shortens_or_lengthens_the_wait(plug: Callable[[Backend], None], answer: float, later: int) -> None:
    plug(says(1.0))
    (shortest,) = frames_of(ended("test"))
    plug(says(answer))
    (event,) = ended("test")
    assert event.frame == shortest + later
    assert (event.reason, event.done) == ("silence", round(answer * 1024) / 1024)


def test_without_an_answer_the_wait_is_that_of_the_graph(plug: Callable[[Backend], None]) -> None:
    def fails(_: Said) -> float:
        raise RuntimeError("no brain")

    plug(says(1.0))
    (shortest,) = frames_of(ended("test"))
    plug(fails)
    (asked_nobody,) = ended("silence")
    played = play(PAUSES, graph_text=graph("test"), mock_reply="tone:0.5")
    assert [str(error).partition(":")[0] for error in played.failures] == ["end_of_turn"]  # told once
    (event, _) = played.of("speech_ended")
    assert event.done is None
    assert asked_nobody.done is None
    assert asked_nobody.frame == shortest + 20  # 600 ms


def test_without_the_stage_nothing_has_changed() -> None:
    played = play(ONCE, mock_reply="tone:0.5")
    (event,) = played.of("speech_ended")
    assert event.done is None
    assert "done" not in json_line(_record(event))
    assert "speech_end_done" not in played.lines[0]


def test_the_answer_is_in_events_and_metrics(plug: Callable[[Backend], None]) -> None:
    plug(says(0.75))
    played = play(ONCE, graph_text=graph("test"), mock_reply="tone:0.5")
    assert '"done": 0.75' in json_line(_record(played.of("speech_ended")[0]))
    assert played.lines[0]["speech_end_done"] == 0.75


def _record(event: Any) -> dict[str, Any]:
    from webapi.voice_node.events import record

    return record(event, 0)


def test_it_matters_not_how_the_audio_was_cut(plug: Callable[[Backend], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plug(lambda said: len(said.pcm) % 1000 / 1000)
    alone = graph("test").replace("longest_hold_ms: 1600", "longest_hold_ms: 1600, answered: false")
    alone = alone.partition("  voice:")[0] + "outputs: {events: turns}\n"
    found = []
    for ms in (10, 20, 100):
        monkeypatch.setattr(stage, "CHUNK_MS", ms)
        monkeypatch.setattr(stage, "CHUNK_BYTES", 48 * ms * 2)
        played = play(PAUSES, graph_text=alone)
        found.append([(event.frame, event.done, event.pcm) for event in played.of("speech_ended")])
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 1


@pytest.mark.parametrize(("ms", "later"), [(0, 0), (99, 0), (101, 1), (300, 10)])
def test_a_late_answer_ends_the_turn_when_it_comes(plug: Callable[[Backend], None], ms: int, later: int) -> None:
    plug(says(1.0))
    (stated,) = frames_of(ended("test"))
    (event,) = ended("test", compute=late(ms))
    assert event.frame == stated + later
    assert event.done == 1.0


# ---------------------------------------------------------------- recorded calls


def recorded(folder: Path, backend: str, script: list[tuple[str, float]] = PAUSES, **settings: Any) -> Played:
    played = play(script, graph_text=graph(backend), record=folder, **settings)
    assert not played.failures
    return played


def replayed(folder: Path) -> str:
    return "".join(map(json_line, replay_call(folder).events))


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


# ---------------------------------------------------------------- words and expectations


def talk(backend: str, orchestrator: str, script: list[tuple[str, float]] = ONCE) -> list[Any]:
    return ended(backend, script, orchestrator=f"{HERE}:{orchestrator}")


def test_an_open_sentence_is_waited_for() -> None:
    (silence,) = talk("silence", "Understands")
    (event,) = talk("words", "Understands")
    assert event.done == pytest.approx(0.1, abs=0.001)
    assert event.frame == silence.frame + 50  # 1600 ms, and not 600


def test_words_that_come_in_the_pause_are_asked_about() -> None:
    (event,) = talk("words", "UnderstandsLate")
    (silence,) = talk("silence", "UnderstandsLate")
    assert event.done == pytest.approx(0.95, abs=0.001)
    assert silence.frame < event.frame < silence.frame + 50  # the sentence is whole 1.4 s after its start


def test_without_words_the_wait_is_in_the_middle() -> None:
    (event,) = talk("words", "Talkative")
    (silence,) = talk("silence", "Talkative")
    assert event.done == 0.5
    assert event.frame == silence.frame + 15  # 900 ms


@pytest.mark.parametrize(("backend", "ms"), [("silence", 1200), ("one", 800), ("zero", 2400)])
def test_where_digits_are_expected_all_waits_are_longer_until_they_are_not(
    plug: Callable[[Backend], None], backend: str, ms: int
) -> None:
    plug(says(1.0 if backend == "one" else 0.0))
    name = backend if backend == "silence" else "test"
    script = [*ONCE, ("quiet", 2.0), *ONCE]
    digits, after = talk(name, "AsksForDigits", script)
    plain, _ = talk(name, "Talkative", script)
    usual = {"silence": 600, "one": 200, "zero": 1600}[backend]
    assert digits.frame - plain.frame == (ms - usual) // 20
    assert (after.t_last_byte_us - after.t_last_voiced_us) // 20_000 == usual // 20


def test_digits_are_expected_in_any_graph_and_it_is_replayed(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"orchestrator": f"{HERE}:AsksForDigits", "vad_backend": "webrtc"}
    played = play(ONCE, record=tmp_path / "call", **settings)
    (event,) = played.of("speech_ended")
    (plain,) = play(ONCE, orchestrator=f"{HERE}:Talkative", vad_backend="webrtc").of("speech_ended")
    assert event.frame - plain.frame == (1200 - 200) // 20
    assert '"in": "expects"' in (tmp_path / "call" / "inputs.jsonl").read_text(encoding="utf-8")
    assert replayed(tmp_path / "call") == (tmp_path / "call" / "events.jsonl").read_text(encoding="utf-8")


# ---------------------------------------------------------------- words over a reply

OVER = [("quiet", 0.5), ("speech", 0.6), ("quiet", 1.5), ("speech", 0.8), ("quiet", 3.0)]


def over(orchestrator: str, **settings: Any) -> Played:
    """A voice over a reply that becomes soft."""
    ducking = graph("silence").replace("longest_hold_ms: 1600", "longest_hold_ms: 1600, barge_in: duck")
    played = play(OVER, graph_text=ducking, orchestrator=f"{HERE}:{orchestrator}", **settings)
    assert not played.failures
    return played


def test_words_decide_what_a_voice_over_a_reply_is(tmp_path: Path) -> None:
    (sound,) = over("Talkative").of("barge_in")
    (words,) = over("HearsWords").of("barge_in")
    assert words.frame < sound.frame
    assert over("HearsMmHm").of("barge_in") == []
    for name in ("HearsWords", "HearsMmHm"):
        over(name, record=tmp_path / name)
        assert replayed(tmp_path / name) == (tmp_path / name / "events.jsonl").read_text(encoding="utf-8")
