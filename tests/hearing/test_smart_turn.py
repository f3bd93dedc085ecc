"""Smart Turn: its features against a slow, plain account of them, and its answers where the weights are installed."""

from __future__ import annotations

import math
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.speech import babble, silence
from webapi.voice_node.audio_io import resampler
from webapi.voice_node.hearing import smart_turn
from webapi.voice_node.hearing.smart_turn import (
    BANDS,
    HOP,
    RATE_HZ,
    SAMPLES,
    WINDOW,
    SmartTurn,
    bundled_model,
    features,
)

needs_weights = pytest.mark.skipif(smart_turn.missing() != (), reason=f"not installed: {smart_turn.missing()}")


def mel(hz: float) -> float:
    """Slaney's scale."""
    return hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) * 27 / math.log(6.4)


def hertz(mels: float) -> float:
    return mels * 200 / 3 if mels < 15 else 1000 * math.exp(math.log(6.4) / 27 * (mels - 15))


def column(samples: NDArray[np.float64], at: int) -> list[float]:
    """The powers of all bands around HOP number `at`: sums, one by one."""
    mirrored = np.concatenate((samples[WINDOW // 2 : 0 : -1], samples, samples[-2 : -2 - WINDOW // 2 : -1]))
    n = np.arange(WINDOW)
    piece = mirrored[at * HOP : at * HOP + WINDOW] * (0.5 - 0.5 * np.cos(2 * np.pi * n / WINDOW))
    powers = [abs(sum(piece * np.exp(-2j * np.pi * k * n / WINDOW))) ** 2 for k in range(WINDOW // 2 + 1)]
    corners = [hertz(mel(RATE_HZ / 2) * i / (BANDS + 1)) for i in range(BANDS + 2)]
    bands = []
    for low, middle, high in zip(corners, corners[1:], corners[2:], strict=False):
        total = 0.0
        for k, power in enumerate(powers):
            hz = k * RATE_HZ / WINDOW
            total += power * max(0.0, min((hz - low) / (middle - low), (high - hz) / (high - middle)))
        bands.append(total * 2 / (high - low))
    return bands


def test_the_features_are_those_of_whisper() -> None:
    chance = np.random.default_rng(3)
    samples = (chance.normal(0, 0.1, SAMPLES) * np.linspace(0, 1, SAMPLES) + 0.01).astype(np.float32)
    found = features(samples)
    assert found.shape == (80, 800)
    assert found.dtype == np.float32
    level = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    highest = 4 * float(found.max()) - 4
    for at in (0, 1, 300, 799):
        logs = [max(math.log10(max(power, 1e-10)), highest - 8) for power in column(level.astype(np.float64), at)]
        assert found[:, at] == pytest.approx([(each + 4) / 4 for each in logs], abs=2e-5)


def test_silence_has_features_too() -> None:
    assert np.isfinite(features(np.zeros(SAMPLES, np.float32))).all()


def test_without_weights_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smart_turn, "WEIGHTS", "no_such_package")
    assert smart_turn.bundled_model() is None
    assert "no_such_package" in smart_turn.missing()
    with pytest.raises(FileNotFoundError, match="weights of Smart Turn are not there"):
        SmartTurn().load()


@needs_weights
def test_the_features_are_those_of_the_code_that_the_weights_come_with() -> None:
    model = bundled_model()
    assert model is not None
    spec = spec_from_file_location("published", model.parents[1] / "_whisper_features.py")
    assert spec is not None
    assert spec.loader is not None
    published = module_from_spec(spec)
    spec.loader.exec_module(published)
    chance = np.random.default_rng(5)
    for padding in (0, 20_000, 100_000):
        samples = chance.normal(0, 0.1, SAMPLES).astype(np.float32)
        samples[:padding] = 0
        assert np.abs(published.compute_whisper_log_mel_features(samples) - features(samples)).max() < 1e-5


@needs_weights
def test_it_is_a_probability_of_the_last_eight_seconds_at_any_rate() -> None:
    network = SmartTurn()
    talk = babble(2.0) + silence(0.2)  # 48 kHz
    by_rate = {rate: network.done(resampler(48_000, rate).push(talk), rate) for rate in (8000, 16_000)}
    assert all(0 <= each <= 1 for each in by_rate.values())
    assert by_rate[8000] == pytest.approx(by_rate[16_000], abs=0.3)  # 4 to 8 kHz are missing
    at_16k = resampler(48_000, 16_000).push(babble(9.0))
    assert network.done(at_16k, 16_000) == network.done(at_16k[-2 * SAMPLES :], 16_000)
    assert network.done(b"", 8000) == network.done(bytes(2 * SAMPLES), 16_000)


@needs_weights
def test_the_same_audio_gives_the_same_answer() -> None:
    talk = resampler(48_000, 8000).push(babble(3.0))
    assert len({SmartTurn().done(talk, 8000) for _ in range(3)}) == 1
