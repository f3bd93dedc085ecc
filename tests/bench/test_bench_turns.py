"""The benchmark of the end of a turn: the recordings, what is asked, and the whole, on a small corpus."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from bench.turns import __main__ as command
from bench.turns import ask, sound, sources
from bench.turns.curves import curves
from bench.turns.measure import figures, measure
from bench.turns.pauses import Pause, pauses
from tests.speech import chatter, silence
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.audio_io import resample_pcm
from webapi.voice_node.end_of_turn import Said
from webapi.voice_node.errors import UserError

RATE_HZ = 8000


# ---------------------------------------------------------------- the recordings


def spoken(path: Path, seconds: float, pause_s: float = 0.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    one = silence(0.1) + chatter(seconds)
    write_wav(path, resample_pcm(one + silence(pause_s) + chatter(seconds) + silence(0.2), 48_000, RATE_HZ), RATE_HZ)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Meetings, digits, prompts and one's own recordings, all of a voice of the tests' own."""
    monkeypatch.setattr(ask, "cache", lambda: tmp_path / "cache")
    for name in ("one", "two"):
        spoken(tmp_path / "meetings" / f"{name}.wav", 2.0, 0.5)
    rows = [("one", 0.1, 2.0, "A"), ("one", 2.6, 2.0, "B"), ("two", 0.1, 1.0, "A"), ("two", 1.5, 0.6, "A")]
    lines = [f"SPEAKER {uri} 1 {start} {length} <NA> <NA> {who} <NA> <NA>\n" for uri, start, length, who in rows]
    (tmp_path / "meetings" / "all.rttm").write_text("".join(lines))
    for speaker in ("ann", "bob"):
        for digit in range(10):
            spoken(tmp_path / "digits" / f"{digit}_{speaker}_0.wav", 0.2)
    for language in ("aa", "bb"):
        spoken(tmp_path / "prompts" / language / "long.wav", 1.2, 0.4)
        spoken(tmp_path / "prompts" / language / "sub" / "part.wav", 0.8, 0.3)
    (tmp_path / "prompts" / "aa.txt").write_text("; a comment\nlong: Press one, then two.\nsub/part: You have\n")
    spoken(tmp_path / "own" / "call.wav", 1.0, 0.6)
    (tmp_path / "own" / "call.txt").write_text("0.1\t1.1\tfirst\n1.7\t2.7\tfirst\n")
    return tmp_path


def test_meetings_are_read_from_rttm_and_every_other_one_is_held_back(folder: Path) -> None:
    one, two = sources.meetings(folder / "meetings", RATE_HZ)
    assert (one.name, one.held, two.name, two.held) == ("one", False, "two", True)
    assert [(p.begins_s, p.ends) for of in (one, two) for p in pauses(of)] == [(2.1, True), (1.1, False)]


def test_digits_become_phone_numbers_with_gaps_and_words(folder: Path) -> None:
    found = sources.digits(folder / "digits", RATE_HZ, seed=1)
    assert {(of.caller, of.held, of.expects) for of in found} == {("ann", False, "digits"), ("bob", True, "digits")}
    of = found[0]
    gaps_s = [p.silence_s for p in pauses(of)]
    assert all(0.14 < gap_s < 0.71 for gap_s in gaps_s[:-1])
    assert [p.ends for p in pauses(of)] == [False] * (len(gaps_s) - 1) + [True]
    assert len(pauses(of)[-1].words.split()) == len(of.segments)
    assert sources.digits(folder / "digits", RATE_HZ, seed=1) == found != sources.digits(folder / "digits", RATE_HZ, 2)


def test_prompts_pause_where_the_reader_did_and_with_texts_only_sentences_end_a_turn(folder: Path) -> None:
    given = [f"{folder}/prompts/aa:{folder}/prompts/aa.txt", f"{folder}/prompts/bb"]
    found = sources.prompts(given, RATE_HZ, seed=1)
    alone = [of for of in found if of.source == "prompts"]
    assert [(of.name, of.held) for of in alone] == [("long", False), ("long", True), ("sub/part", True)]
    hold, end = (p for p in pauses(alone[0]) if p.silence_s >= 0.2)
    assert hold.begins_s - hold.from_s == pytest.approx(1.2, abs=0.05)
    assert hold.silence_s >= 0.2
    assert (hold.words, end.words) == ("Press one,", "Press one, then two.")
    joined = [of for of in found if of.source == "joined" and not of.held]
    assert {pauses(of)[-1].words.split(" ")[-1] for of in joined} == {"two."}
    assert {len(pauses(of)) for of in joined} == {2, 3, 4}


def test_the_gaps_of_joined_prompts_are_as_long_as_published() -> None:
    random = np.random.default_rng(1)
    gaps_s = np.array([sources.gap(random) for _ in range(4000)])
    shares = [float((gaps_s > seconds).mean()) for seconds in (0.2, 0.3, 0.6, 1.0, 1.6, 3.0)]
    assert shares == pytest.approx([1.0, 0.556, 0.217, 0.1, 0.05, 0.0], abs=0.025)


def test_labels_with_one_text_are_one_turn_of_ones_own_recording(folder: Path) -> None:
    (of,) = sources.labelled(folder / "own", RATE_HZ)
    assert [(p.begins_s, p.ends) for p in pauses(of)] == [(1.1, False), (2.7, True)]


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda empty: sources.meetings(empty, RATE_HZ), "NAME.wav, and .rttm files"),
        (lambda empty: sources.digits(empty, RATE_HZ, 1), "7_jackson_32.wav"),
        (lambda empty: sources.prompts([str(empty)], RATE_HZ, 1), "WAVs of speech"),
        (lambda empty: sources.labelled(empty, RATE_HZ), "a label track"),
    ],
)
def test_an_empty_folder_is_told_with_what_must_be_in_it(
    build: Callable[[Path], object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=told):
        build(tmp_path)


# ---------------------------------------------------------------- what is asked, and the whole


def test_an_answer_of_ours_is_kept_by_what_was_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Said] = []

    def backend(said: Said) -> float:
        asked.append(said)
        return 0.25

    found: list[Pause] = [p for of in sources.labelled(folder / "own", RATE_HZ) for p in pauses(of)]
    monkeypatch.setattr(ask, "BUILT_IN", {"words": backend})
    assert ask.answers("words", backend, found).tolist() == [0.25, 0.25]
    assert ask.answers("words", backend, found).tolist() == [0.25, 0.25]
    assert len(asked) == 2
    for _ in range(2):  # of another package: its code may have changed meanwhile
        assert ask.answers("theirs", backend, found).tolist() == [0.25, 0.25]
    assert len(asked) == 6


def test_a_voice_that_falls_is_told_from_one_that_does_not() -> None:
    t = np.arange(RATE_HZ) / RATE_HZ

    def voice(last_hz: float, last_level: float) -> Said:
        hz = np.where(t < 0.7, 160.0, np.interp(t, [0.7, 1.0], [160.0, last_hz]))
        phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
        level = np.where(t < 0.7, 1.0, np.interp(t, [0.7, 1.0], [1.0, last_level]))
        buzz = sum(np.sin(k * phase) / k for k in range(1, 12)) * level * 4000
        return Said(np.concatenate([buzz, np.zeros(1600)]).astype("<i2").tobytes(), RATE_HZ)

    falling, level = sound.features(voice(100.0, 0.2)), sound.features(voice(160.0, 1.0))
    assert falling[0] > level[0] + 3  # semitones
    assert falling[1] > level[1] + 5  # dB


def test_the_fit_finds_what_divides_ends_from_holds() -> None:
    random = np.random.default_rng(1)
    ends = np.arange(400) % 2 == 0
    rows = np.c_[random.standard_normal(400) + 2.0 * ends, random.standard_normal(400)]
    likely = sound.fit(rows, ends, np.ones(400)).likely(rows)
    assert likely[ends].mean() > 0.7 > 0.3 > likely[~ends].mean()


def test_all_rules_are_measured_on_what_is_held_back(folder: Path) -> None:
    found = [p for of in sources.digits(folder / "digits", RATE_HZ, 1) for p in pauses(of)]
    measured = measure(found, {"words": lambda said: 1.0 if len(said.words.split()) > 6 else 0.0})
    assert [o.curve.name for o in measured.outcomes] == [c.name for c in curves(["words", "sound"])]
    assert measured.sizes["digits"]["held back, ends"] == measured.sizes["digits"]["tuned, ends"] == sources.NUMBERS
    of = {o.curve.name: o for o in measured.outcomes}
    assert all(o.then and o.chosen and o.counts for o in measured.outcomes)
    shares = [figures(of[name].points)["cut_offs_at_300_ms"] for name in ("words", "silence")]
    assert shares[0] is not None
    assert shares[1] is not None
    assert shares[0] < shares[1]


def test_the_command_prints_judges_and_draws(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--digits", f"{folder}/digits", "--labelled", f"{folder}/own", "--backends", "words"]
    monkeypatch.setattr(sys, "argv", ["bench.turns", *given, "--out", f"{folder}/out"])
    assert command.main() in (0, 1)
    told, noted = capsys.readouterr()
    assert noted == "words has no words to judge by in: own. --recognise hears them (English)\n"  # digits have some
    assert "goal: at most 5% cut off at a mean wait of 800 ms" in told
    made = json.loads((folder / "out" / "turns.json").read_text())
    assert {"silence", "patience", "words", "words, graded", "sound"} == set(made["curves"])
    assert (folder / "out" / "turns.svg").read_bytes()[:5] == b"<?xml"
    assert (folder / "out" / "turns-by-source.png").stat().st_size > 1000


@pytest.mark.parametrize("given", [["--digits", "digits", "--backends", "words"], ["--labelled", "own", "--backends"]])
def test_where_words_are_known_or_not_asked_for_nothing_is_noted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["bench.turns", *given])
    assert command.main() in (0, 1)
    assert capsys.readouterr().err == ""


def test_nothing_to_measure_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.turns"])
    assert command.main() == 2
    assert "give --meetings" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [float("nan"), 2, None])
def test_an_answer_that_is_no_probability_is_an_error(answer: Any) -> None:
    with pytest.raises(UserError, match="the backend odd"):
        ask._answer("odd", lambda _: cast(float, answer), Said(b"", 8000))
