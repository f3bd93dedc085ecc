"""What stands out of the background."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from webapi.voice_node.background import Background

RATE = 8000


def noise(seconds: float, level: float = 300.0, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * level


def asked(sound: NDArray[np.float64], ms: int = 20) -> list[bool]:
    """The answer for each frame."""
    background, size = Background(ms), RATE * ms // 1000
    pcm = np.round(sound).astype("<i2")
    return [background.stands_out(pcm[at : at + size].tobytes()) for at in range(0, len(pcm) - size + 1, size)]


@pytest.mark.parametrize("ms", [10, 20, 30])
def test_who_talks_at_once_is_heard_and_what_goes_on_becomes_the_background(ms: int) -> None:
    answers = asked(noise(8), ms)
    assert all(answers[: 1500 // ms])
    assert not any(answers[2000 // ms :])


def test_what_becomes_louder_is_the_background_four_seconds_later() -> None:
    answers = asked(np.concatenate([noise(8), noise(8, 3000)]))
    assert all(answers[410:590])
    assert not any(answers[620:])


@pytest.mark.parametrize("ms", [10, 20, 30])
def test_a_louder_one_stands_out_at_once_and_a_while_longer(ms: int) -> None:
    sound = noise(8)
    sound[6 * RATE : 7 * RATE] *= 10 ** (10 / 20)
    answers = asked(sound, ms)
    assert not any(answers[5000 // ms : 5980 // ms])
    assert all(answers[6060 // ms : 7000 // ms])
    assert not any(answers[7300 // ms :])


def test_one_that_is_hardly_louder_does_not() -> None:
    sound = noise(8)
    sound[6 * RATE : 7 * RATE] *= 10 ** (3 / 20)
    assert not any(asked(sound)[250:])


def test_talk_with_its_pauses_stands_out_for_as_long_as_it_goes_on() -> None:
    sound = noise(30, 20)
    syllables = np.sin(np.pi * np.arange(30 * RATE) / RATE / 0.2) ** 2 > 0.4  # 5 a second
    answers = asked(sound + noise(30, 2000, seed=2) * syllables)
    assert all(answers[10:])


def test_the_gain_does_not_matter() -> None:
    sound = noise(8) + np.concatenate([np.zeros(5 * RATE), noise(3, 900)])
    assert asked(sound * 8) == asked(np.round(sound) * 8) == asked(np.round(sound))
