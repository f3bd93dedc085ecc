"""The benchmark of single words, and the noises by other makers, with sounds of the tests' own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.hearing import features, others, scenes, voices
from bench.hearing.others import BY_SOX, HOLD, OTHER_BANGS, hold
from bench.hearing.words import Found, Spelt, judge, measure, met, spelt
from tests.speech import chatter, silence
from webapi.voice_node.audio.wav import write_wav
from webapi.voice_node.audio_io import resampler
from webapi.voice_node.errors import UserError
from webapi.voice_node.replay.sweep.scoring import Heard, SpeechSpan

LEVELS = (-22, -40)
needs_sox = pytest.mark.skipif(shutil.which("sox") is None, reason="SoX makes these noises")


@pytest.fixture
def language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language with two letters, a digit and a sentence."""
    monkeypatch.setattr(voices, "SOUNDS", tmp_path / "sounds")
    monkeypatch.setattr(features, "cache", lambda: tmp_path / "cache")
    said = {"letters/a": 1.5, "letters/b": 1.2, "digits/1": 1.3, "digits/10": 0.4, "letters/at": 0.4, "sentence": 1.5}
    for name, seconds in said.items():
        path = tmp_path / "sounds" / "aa" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        pcm = resampler(48_000, 8_000).push(silence(0.2) + chatter(seconds) + silence(0.3))
        write_wav(path, pcm, 8_000)
    voices.words.cache_clear()
    yield "aa"
    voices.words.cache_clear()


def words_of(language: str, level_db: float | None, order: int) -> Spelt:
    return spelt(language, level_db, order, seed=1, room_db=-66, levels=LEVELS)


# ---------------------------------------------------------------- the words


def test_each_letter_and_digit_is_said_once_in_an_order_of_its_own(language: str) -> None:
    orders = [words_of(language, -22, order) for order in range(6)]
    assert {tuple(sorted(each.words)) for each in orders} == {("digits/1.wav", "letters/a.wav", "letters/b.wav")}
    assert len({each.words for each in orders}) > 1
    assert words_of(language, -22, 0) == orders[0]


def test_words_are_as_loud_as_is_said_and_alone(language: str) -> None:
    made = words_of(language, -22, 0).scene
    pcm = np.frombuffer(made.pcm, "<i2") / 32768
    spoken = np.concatenate([pcm[round(s.start_s * 8000) : round(s.end_s * 8000)] for s in made.spans])
    assert 10 * np.log10((spoken**2).mean()) == pytest.approx(-22, abs=1)
    gaps = [b.start_s - a.end_s for a, b in zip(made.spans[:-1], made.spans[1:], strict=True)]
    assert gaps == pytest.approx([1.5] * len(gaps))


def test_any_level_is_one_of_the_levels_for_each_word(language: str) -> None:
    peaks = set()
    for order in range(6):
        made = words_of(language, None, order).scene
        pcm = np.frombuffer(made.pcm, "<i2") / 32768
        peaks |= {round(20 * np.log10(np.abs(pcm[round(s.start_s * 8000) :][:800]).max()) / 12) for s in made.spans}
    assert len(peaks) > 1


def test_a_start_belongs_to_the_word_that_it_comes_in_or_soon_after() -> None:
    scene = scenes.Scene("aa -22", b"", (SpeechSpan(1.0, 1.5), SpeechSpan(3.0, 3.4), SpeechSpan(5.0, 5.2)))
    spoken = Spelt(scene, "aa", "-22", ("a", "b", "c"))
    starts = [Heard(at, at - 0.1, at + 0.3) for at in (0.9, 1.1, 1.4, 3.6, 5.6)]
    found = judge(spoken, starts)
    assert (found.words, found.found, found.false, found.missed) == (3, 2, 2, ("aa c",))
    assert found.delays_s == pytest.approx((0.1, 0.6))
    assert found.delay_ms == pytest.approx(350)
    assert (found + found).words == 6


def test_goals_are_shares_for_ordinary_levels_and_delays_for_the_softest() -> None:
    all_, late = Found(100, 98, 0, (0.2,) * 98), Found(100, 90, 0, (0.1,) * 90)
    assert met(("en", "-40"), all_)
    assert not met(("en", "-40"), late)
    assert met(("en", "-55"), late)
    assert not met(("en", "-55"), all_)
    assert met(("en", "any"), all_)


def test_a_talker_is_found_at_every_level(language: str) -> None:
    spoken = [words_of(language, level, 0) for level in (-22, -40)]
    found = measure(spoken, [features.heard(each.scene) for each in spoken])
    assert set(found["confirm"]) == {("aa", "-22"), ("all", "-22"), ("aa", "-40"), ("all", "-40")}
    assert [found["webrtc"]["aa", level].found for level in ("-22", "-40")] == [3, 3]
    assert 0 < found["confirm"]["all", "-22"].found <= 3


# ---------------------------------------------------------------- noises by other makers


@needs_sox
@pytest.mark.parametrize("name", list(BY_SOX))
def test_every_noise_has_the_same_power_and_comes_from_its_seed(name: str) -> None:
    made = [BY_SOX[name](16_000, np.random.default_rng(seed), "") for seed in (1, 1, 2)]
    assert len(made[0]) == 16_000
    assert (made[0] ** 2).mean() == pytest.approx(1)
    assert (made[0] == made[1]).all()
    assert not (made[0] == made[2]).all()


@needs_sox
@pytest.mark.parametrize("kind", list(OTHER_BANGS))
def test_bangs_are_short_and_as_loud(kind: str) -> None:
    sounds = [OTHER_BANGS[kind](np.random.default_rng(seed)) for seed in range(4)]
    assert {float(np.abs(sound).max()) for sound in sounds} == {1.0}
    assert max(len(sound) for sound in sounds) <= 2 * 8000


def test_music_on_hold_comes_from_anywhere_in_the_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(others, "music", lambda: (np.arange(1.0, 8001.0),) * 5)
    made = [hold(16_000, np.random.default_rng(seed), piece=0) for seed in (1, 2)]
    assert [len(each) for each in made] == [16_000] * 2
    assert (made[0] ** 2).mean() == pytest.approx(1)
    assert made[0][0] != made[1][0]
    monkeypatch.setattr(others, "music", lambda: ())
    with pytest.raises(UserError, match="apt-get install asterisk-moh-opsound-wav"):
        HOLD["hold-1"](100, np.random.default_rng(1), "")
