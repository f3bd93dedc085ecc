"""What stands out of the background."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from webapi.voice_node.hearing.endpoint import END
from webapi.voice_node.hearing.level_gate import KEEPS, LevelGate
from webapi.voice_node.hearing.onset import START

RATE = 8000


def hiss(seconds: float, level: float = 300.0, seed: int = 1) -> NDArray[np.float64]:
    """Steady noise."""
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * level


def crowd(seconds: float, level: float = 300.0) -> NDArray[np.float64]:
    """Noise with a gap every 0.6 s, an eighth of the time: it swings, as voices do that run together."""
    noise = hiss(seconds, level)
    return noise * np.where(np.arange(len(noise)) % round(0.6 * RATE) < 0.06 * RATE, 0.1, 1)


def asked(sound: NDArray[np.float64], ms: int = 20) -> NDArray[np.float64]:
    """The answer for each frame."""
    background, size = LevelGate(ms), RATE * ms // 1000
    pcm = np.round(sound).astype("<i2")
    return np.array([background.weight(pcm[at : at + size].tobytes()) for at in range(0, len(pcm) - size + 1, size)])


def louder(sound: NDArray[np.float64], db: float, start_s: float = 6, end_s: float = 7) -> NDArray[np.float64]:
    """The same, but for that stretch."""
    made = sound.copy()
    made[round(start_s * RATE) : round(end_s * RATE)] *= 10 ** (db / 20)
    return np.asarray(made)


@pytest.mark.parametrize("ms", [10, 20, 30])
def test_who_talks_at_once_is_heard_and_a_crowd_becomes_the_background(ms: int) -> None:
    answers = asked(crowd(12), ms)
    assert (answers[: 1500 // ms] == 1).all()
    assert (answers[5000 // ms :] < 1).all()


def test_a_crowd_that_becomes_louder_is_the_background_five_seconds_later() -> None:
    answers = asked(louder(crowd(24), 20, 8, 24))
    assert (answers[410:600] == 1).all()
    assert (answers[680:] < 1).all()


@pytest.mark.parametrize("ms", [10, 20, 30])
def test_who_is_louder_than_the_crowd_stands_out_at_once_and_a_while_longer(ms: int) -> None:
    answers = asked(louder(crowd(12), 20), ms)
    assert (answers[5000 // ms : 5980 // ms] < 1).all()
    assert (answers[6080 // ms : 7000 // ms] == 1).all()
    assert (answers[7320 // ms :] < 1).all()


def test_who_is_hardly_louder_than_the_crowd_does_not() -> None:
    assert (asked(louder(crowd(12), 2))[250:] < 1).all()


def test_who_has_begun_may_go_on_softer_than_one_begins() -> None:
    assert (asked(louder(crowd(12), 5))[305:350] == KEEPS).all()
    assert (asked(louder(crowd(12), 9))[305:350] == 1).all()


def test_what_may_go_on_is_too_little_to_begin_and_enough_not_to_end() -> None:
    assert START > KEEPS
    assert START * KEEPS >= END


def test_steady_noise_hides_nothing() -> None:
    assert (asked(louder(hiss(12), 3))[302:350] == 1).all()


def test_talk_with_its_pauses_is_never_the_background() -> None:
    syllables = np.sin(np.pi * np.arange(30 * RATE) / RATE / 0.2) ** 2 > 0.4  # 5 a second
    answers = asked(hiss(30, 20) + hiss(30, 2000, seed=2) * syllables)
    assert (answers[10:] >= KEEPS).all()


def test_neither_the_gain_nor_an_offset_matters() -> None:
    sound = np.round(louder(crowd(9), 12))
    plain = asked(sound)
    assert set(plain) == {1.0, KEEPS, 0.0}
    assert (asked(sound * 4) == plain).all()
    assert (asked(sound + 3000) == plain).all()


def test_digital_silence_between_words_hides_nothing() -> None:
    spoken = np.arange(9 * RATE) // RATE % 2 == 1
    answers = asked(hiss(9) * spoken)
    assert (answers[np.arange(9 * 50) // 50 % 2 == 1] == 1).all()


@pytest.mark.parametrize(("db", "fallen"), [(-12, False), (-18, True), (-60, True)])
def test_what_is_15_db_below_the_loudest_of_late_is_over(db: float, fallen: bool) -> None:
    gate, size = LevelGate(20), RATE // 50
    pcm = np.round(louder(hiss(2, 9000), db, 1, 2)).astype("<i2")
    over = []
    for at in range(0, len(pcm), size):
        gate.weight(pcm[at : at + size].tobytes())
        over.append(gate.fallen)
    assert not any(over[:50])
    assert any(over[50:60]) is fallen
    assert not any(over[65:])  # 200 ms later it is as loud as what was before


def test_a_voice_that_rises_has_not_fallen() -> None:
    gate = LevelGate(20)
    for k in range(20):
        gate.weight(np.round(hiss(0.02, 30 * 1.3**k)).astype("<i2").tobytes())
        assert not gate.fallen
