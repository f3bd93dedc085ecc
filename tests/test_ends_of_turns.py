"""Whole sessions with the stage end_of_turn: when turns end, by any backend, by words, and by what is expected."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import stage
from tests.ends_of_turns import HERE, ONCE, PAUSES, graph, late, plug_in, replayed, says
from tests.stage import Played, play
from webapi.voice_node.end_of_turn import Backend, Said
from webapi.voice_node.files.json_line import json_line


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[[Backend], None]:
    """Puts a backend named `test` beside those of the project."""
    return partial(plug_in, monkeypatch)


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
