"""The volume of a reply: exact to the sample."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from webapi.voice_node.playback.volume import DOWN_MS, DUCKED, FULL, UP_MS, Volume

DOWN, UP = DOWN_MS * 48, UP_MS * 48


def constant(count: int, sample: int = 10_000) -> bytes:
    return np.full(count, sample, "<i2").tobytes()


def samples(pcm: bytes) -> NDArray[np.int64]:
    return np.frombuffer(pcm, "<i2").astype(np.int64)


def test_at_full_volume_nothing_changes() -> None:
    pcm = constant(100)
    assert Volume().applied(pcm, 0) is pcm


def test_ducked_is_fifteen_decibels_less() -> None:
    volume = Volume()
    volume.turn(0, DUCKED, 0)
    for sample in (32767, -32768, 10_000, 1, 0):
        (soft,) = samples(volume.applied(constant(1, sample), 5))
        assert soft == (sample * DUCKED + (1 << 14)) >> 15
    assert 20 * np.log10(DUCKED / FULL) == pytest.approx(-15, abs=0.001)
    assert samples(volume.applied(constant(1), 5)).tolist() == [1778]


def test_a_ramp_is_a_straight_line_that_begins_and_ends_at_its_samples() -> None:
    volume = Volume()
    volume.turn(100, DUCKED, DOWN_MS)
    soft = samples(volume.applied(constant(100 + 2 * DOWN), 0))
    expected = [FULL] * 100 + [FULL + (DUCKED - FULL) * k // DOWN for k in range(DOWN)] + [DUCKED] * DOWN
    assert soft.tolist() == [(10_000 * each + (1 << 14)) >> 15 for each in expected]
    assert soft[100] == 10_000
    assert soft[100 + DOWN] == soft[-1] == 1778


def test_it_is_twelve_decibels_down_within_its_ten_milliseconds() -> None:
    volume = Volume()
    volume.turn(0, DUCKED, DOWN_MS)
    soft = samples(volume.applied(constant(DOWN + 1), 0))
    assert int(np.argmax(soft <= 10_000 * 10 ** (-12 / 20))) / 48 <= 10


def test_a_ramp_that_is_turned_goes_on_from_where_it_was() -> None:
    volume = Volume()
    volume.turn(0, DUCKED, DOWN_MS)
    volume.turn(DOWN // 2, FULL, UP_MS)
    heard = samples(volume.applied(constant(DOWN // 2 + UP + 10), 0))
    assert np.abs(np.diff(heard)).max() <= 20  # no jump
    assert heard[-1] == 10_000
    assert volume.target == FULL


@pytest.mark.parametrize("size", [1, 7, 480, 961])
def test_it_is_the_same_however_the_audio_was_cut(size: int) -> None:
    def volume() -> Volume:
        made = Volume()
        made.turn(300, DUCKED, DOWN_MS)
        made.turn(1000, FULL, UP_MS)
        return made

    pcm = np.random.default_rng(1).integers(-32768, 32767, 5000).astype("<i2").tobytes()
    cut = volume()
    pieces = [cut.applied(pcm[at * 2 : (at + size) * 2], at) for at in range(0, 5000, size)]
    assert b"".join(pieces) == volume().applied(pcm, 0)
