"""How much of what was heard is the bot's voice: at any level and delay, and not where it is somebody else's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.speech import chatter
from webapi.voice_node.hearing import echo_share
from webapi.voice_node.hearing.echo_share import EchoShare

PIECE = 480  # samples
Samples = NDArray[np.float64]
BOT: Samples = np.frombuffer(chatter(3.0), "<i2")[: PIECE * 200].astype(float)
CALLER: Samples = BOT[::-1] * 0.5  # backwards it is another voice, of the same sound
NOISE: Samples = np.random.default_rng(1).standard_normal(len(BOT)) * 10  # about −70 dBFS


def echo(late_ms: int, db: float, ring_ms: int = 0) -> Samples:
    n = 48 * ring_ms
    response = np.concatenate(
        ([3.0], np.random.default_rng(2).standard_normal(n) * np.exp(-5 * np.arange(n) / max(1, n)))
    )
    response *= 10 ** (db / 20) / np.sqrt((response**2).sum())
    rings = np.convolve(BOT, response)
    return np.concatenate((np.zeros(48 * late_ms), rings))[: len(BOT)]


def shares(heard: Samples, played: Samples) -> list[float]:
    """By pieces of 10 ms."""
    meter = EchoShare()
    out = []
    for at in range(0, len(heard), PIECE):
        pieces = (np.clip(signal[at : at + PIECE], -32768, 32767).astype("<i2").tobytes() for signal in (heard, played))
        meter.push(*pieces)
        out.append(meter.share())
    return out


@pytest.mark.parametrize("ring_ms", [0, 40])
@pytest.mark.parametrize("db", [3, -6, -20, -40])
@pytest.mark.parametrize("late_ms", [10, 60, 130, 300, 590])
def test_an_echo_is_the_bot_whatever_its_level_and_delay(late_ms: int, db: float, ring_ms: int) -> None:
    heard = shares(echo(late_ms, db, ring_ms) + NOISE, BOT)
    begun = late_ms // 10 + 12
    assert min(heard[begun : begun + 60]) > 0.6


@pytest.mark.parametrize("loud", [1.0, 0.1])
def test_a_caller_is_not(loud: float) -> None:
    heard = shares(CALLER * loud + NOISE, BOT)
    assert max(heard[15:]) < 0.5
    assert float(np.median(heard[15:])) < 0.2


def test_both_at_once_are_between() -> None:
    heard = shares(echo(120, -6) + CALLER + NOISE, BOT)
    assert 0.2 < float(np.median(heard[50:])) < 0.8


@pytest.mark.parametrize(("heard", "played"), [(NOISE * 0, BOT), (CALLER, BOT * 0), (NOISE * 0, BOT * 0)])
def test_silence_explains_nothing(heard: Samples, played: Samples) -> None:
    assert set(shares(heard, played)) == {0.0}


def test_nothing_of_it_depends_on_the_past_beyond_a_second() -> None:
    once = shares(echo(120, -6) + NOISE, BOT)
    again = EchoShare()
    heard = echo(120, -6) + NOISE
    for at in range(100 * PIECE, len(heard), PIECE):
        again.push(*(signal[at : at + PIECE].astype("<i2").tobytes() for signal in (heard, BOT)))
    assert again.share() == pytest.approx(once[-1], abs=0.05)  # the delay may be found a step beside


def test_a_delay_that_stays_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, places = [], echo_share._places

    def look(x: Samples, y: Samples) -> set[int]:
        looked.append(len(x))
        return places(x, y)

    monkeypatch.setattr(echo_share, "_places", look)
    heard = shares((echo(120, -6) + NOISE)[: 80 * PIECE], BOT)
    assert min(heard[30:]) > 0.6
    assert len(looked) < 30  # until the echo is heard
    shares((CALLER + NOISE)[: 80 * PIECE], BOT)
    assert len(looked) > 80  # and each time where there is none


def test_an_echo_that_comes_later_than_before_is_found_again() -> None:
    begins = 100 * PIECE
    moved = np.concatenate((echo(60, -6)[:begins], echo(310, -6)[begins:])) + NOISE
    heard = shares(moved, BOT)
    assert min(heard[50:100]) > 0.6
    assert min(heard[130:]) > 0.6
