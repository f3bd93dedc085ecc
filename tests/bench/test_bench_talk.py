"""What `bench.talk` makes of what it noted. (That it notes it is shown by running it.)"""

from __future__ import annotations

import asyncio
import io
from asyncio.events import Handle

import pytest
from rich.console import Console

from bench.measures import measure
from bench.talk import Talked, Turn, show, trimmed
from bench.talk_probe import BusyMeter
from tests.bench.test_bench import record
from tests.speech import silence, vowel


def talked(wait_s: float = 1.5, stop_s: float = 0.25, megabytes: float = 500.0, busy_ms: float = 10.0) -> Talked:
    """Three turns, ten seconds apart, all alike."""
    line = {
        "barge_in_stop_ms": 100.9,
        "parts": [{"name": "endpointing", "ms": 600.0}, {"name": "speech_to_text", "ms": 150.0}],
    }
    turns = [Turn(at, at + wait_s, at + 3, at + 3 + stop_s, line) for at in (10.0, 20.0, 30.0)]
    return Talked(turns, [], {"node": megabytes}, {"busy_ms": busy_ms, "wall_ms": busy_ms, "where": "a_coroutine"})


@pytest.mark.parametrize(
    ("noted", "missed"),
    [
        (talked(), []),
        (talked(wait_s=2.1), ["wait"]),
        (talked(stop_s=0.5), ["barge-in"]),  # the mock of the record needs 250 ms
        (talked(megabytes=701), ["memory"]),
        (talked(busy_ms=20.1), ["loop"]),
    ],
)
def test_goals_that_are_missed_are_named(noted: Talked, missed: list[str]) -> None:
    out = io.StringIO()
    assert show(Console(file=out, width=100), noted, measure(record())) == missed
    assert "speech_to_text" in out.getvalue()
    assert "a_coroutine" in out.getvalue()


def test_turns_that_a_stall_touched_do_not_count() -> None:
    noted = talked()
    noted.gaps.append((21.0, 21.1))
    assert [turn.done_s for turn in noted.kept] == [10.0, 30.0]


def test_the_silence_after_an_utterance_does_not_count_as_said() -> None:
    assert len(trimmed(vowel(0.5) + silence(0.7))) == pytest.approx(len(vowel(0.5)), abs=2 * 480 * 2)


def test_the_coroutine_that_kept_the_loop_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handle, "_run", Handle._run)  # it is put back afterwards
    meter = BusyMeter()

    async def counts_long() -> None:
        await asyncio.sleep(0)
        sum(range(1_000_000))

    async def work() -> None:
        meter.install()
        await asyncio.gather(counts_long(), asyncio.sleep(0))

    asyncio.run(work())
    assert "counts_long" in meter.longest.where
    assert meter.longest.busy_ms > 0
