"""The synthetic speech does what other tests rely on: every part of it is voiced, nothing around it is."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
import webrtcvad

from tests.speech import RATE_HZ, silence, vowel

FRAME_S = 0.02
HANGOVER_FRAMES = 3  # webrtcvad's own: so long it goes on saying "voice" after a voice


def voiced(pcm_48k: bytes) -> list[bool]:
    wide = np.frombuffer(pcm_48k, "<i2").astype(np.float32) / 32768
    narrow = (np.clip(soxr.resample(wide, RATE_HZ, 8000), -1, 1) * 32767).astype("<i2").tobytes()
    vad = webrtcvad.Vad(3)
    return [vad.is_speech(narrow[at : at + 320], 8000) for at in range(0, len(narrow) - 319, 320)]


@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.0, 5.0])
def test_webrtcvad_at_its_strictest_takes_it_for_speech_and_the_silence_around_it_not(seconds: float) -> None:
    before, speech = round(0.5 / FRAME_S), round(seconds / FRAME_S)
    heard = voiced(silence(0.5) + vowel(seconds) + silence(0.5))
    assert not any(heard[:before])
    assert sum(heard[before : before + speech]) >= 0.95 * speech
    assert not any(heard[before + speech + HANGOVER_FRAMES :])


def test_the_same_length_gives_the_same_bytes_and_no_sample_is_clipped() -> None:
    assert len(vowel(0.25)) == 2 * RATE_HZ // 4
    vowel.cache_clear()
    once = vowel(0.25)
    vowel.cache_clear()
    assert vowel(0.25) == once
    assert np.abs(np.frombuffer(vowel(5.0), "<i2").astype(int)).max() < 32767


def test_nothing_is_said_in_no_time() -> None:
    assert vowel(0) == b""
    assert silence(0) == b""
