"""The gain for soft voices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from webapi.voice_node.hearing.soft_voice import SoftVoiceGain

WINDOW, WINDOW_MS = 512, 32
SECOND = 1000 / WINDOW_MS


def tone(db: float, windows: float) -> list[NDArray[np.int16]]:
    """So many windows of a tone of that level (RMS, dBFS)."""
    wave = np.sin(2 * np.pi * 8 * np.arange(WINDOW) / WINDOW) * 2**0.5 * 32768 * 10 ** (db / 20)
    return [np.round(wave).astype("<i2")] * round(windows)


def gains(windows: list[NDArray[np.int16]]) -> list[float]:
    """In dB."""
    gain = SoftVoiceGain(WINDOW_MS)
    return [20 * float(np.log10(gain.window(each))) for each in windows]


QUIET = tone(-80, 2 * SECOND)


@pytest.mark.parametrize(("level", "gain"), [(-20, 0), (-35, 0), (-40, 5), (-45, 10), (-55, 20), (-65, 24)])
def test_a_soft_voice_sounds_like_one_of_35_db_below_full_scale(level: float, gain: float) -> None:
    assert gains([*QUIET, *tone(level, 5)])[-5:] == pytest.approx([gain] * 5, abs=0.3)


def test_a_loud_voice_gets_none_from_its_first_window_on() -> None:
    found = gains([*QUIET, *tone(-22, 1)])
    assert found[-2] == pytest.approx(24, abs=0.1)
    assert found[-1] == 0


def test_after_a_loud_voice_a_soft_one_gets_it_within_a_second() -> None:
    after = gains([*tone(-22, SECOND), *QUIET, *tone(-22, 5), *tone(-55, 40)])[-40:]
    assert after[0] == 0
    assert after == sorted(after)
    assert after[round(SECOND)] > 15


def test_noise_is_not_made_louder() -> None:
    assert gains(tone(-45, 6 * SECOND))[-1] == 0
    assert gains(tone(-60, 6 * SECOND))[-1] == pytest.approx(10, abs=0.3)


def test_noise_from_the_start_on_is_never_amplified() -> None:
    assert max(gains(tone(-46, 6 * SECOND))) == 0


def test_at_the_very_start_nothing_is_known_and_little_is_done() -> None:
    assert gains(tone(-55, 1)) == pytest.approx([1], abs=0.2)


def test_an_offset_is_no_sound() -> None:
    voice = [*QUIET, *tone(-50, 20)]
    assert gains([each + 900 for each in voice]) == pytest.approx(gains(voice), abs=0.2)


def test_digital_silence_and_full_scale_are_levels_too() -> None:
    assert gains([np.zeros(WINDOW, "<i2")] * 200)[-1] == pytest.approx(24, abs=0.1)
    assert gains([np.full(WINDOW, -32768, "<i2"), np.resize(np.array([-32768, 32767], "<i2"), WINDOW)]) == [
        pytest.approx(1, abs=0.2),
        0,
    ]
