"""How far audio gets ahead of its playing, and when more of it is sent."""

from __future__ import annotations

import asyncio

import pytest

from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.reply.pacing import Pacing, QueueDepth
from webapi.voice_node.reply.pause_gate import PauseGate

DEPTH = QueueDepth(high_ms=400, low_ms=200)


def loop() -> VirtualTimeLoop:
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualTimeLoop)
    return running


def test_it_fills_up_to_the_high_level_and_waits_for_the_low_one() -> None:
    async def main() -> None:
        pacing = Pacing(DEPTH, loop().clock_us)
        assert await pacing.ready() == 400_000
        await pacing.sent(380_000)
        assert (loop().now_us, await pacing.ready()) == (0, 20_000)
        await pacing.sent(20_000)
        assert (loop().now_us, await pacing.ready()) == (200_000, 200_000)
        await pacing.played()
        assert loop().now_us == pacing.sent_us == 400_000

    run_virtual(main())


def test_more_than_fits_waits_longer() -> None:
    async def main() -> None:
        pacing = Pacing(DEPTH, loop().clock_us)
        await pacing.sent(1_000_000)
        assert loop().now_us == 800_000

    run_virtual(main())


def test_a_queue_that_was_empty_begins_anew() -> None:
    async def main() -> None:
        pacing = Pacing(DEPTH, loop().clock_us)
        await pacing.ready()
        await pacing.sent(20_000)
        await asyncio.sleep(1)
        assert await pacing.ready() == 400_000
        await pacing.sent(20_000)
        await pacing.played()
        assert loop().now_us == 1_020_000

    run_virtual(main())


@pytest.mark.parametrize("slow_s", [0.5, 3.0])
def test_after_a_slow_chunk_no_more_gets_ahead_than_before(slow_s: float) -> None:
    async def main() -> None:
        pacing = Pacing(DEPTH, loop().clock_us)
        await pacing.ready()
        await pacing.sent(20_000)
        await asyncio.sleep(slow_s)
        empty_us, before_us = loop().now_us, pacing.sent_us
        for _ in range(200):  # then a flood
            await pacing.ready()
            ahead_us = pacing.sent_us + 20_000 - before_us - (loop().now_us - empty_us)
            assert ahead_us <= 400_000
            await pacing.sent(20_000)

    run_virtual(main())


def test_nothing_plays_while_the_reply_is_halted() -> None:
    async def main() -> None:
        gate = PauseGate()
        pacing = Pacing(DEPTH, loop().clock_us, gate)
        await pacing.ready()
        await pacing.sent(300_000)
        gate.halt(loop().now_us)
        loop().call_later(5, lambda: gate.resume(loop().now_us))
        assert await pacing.ready() == 100_000
        assert (loop().now_us, gate.lost_us) == (5_000_000, 5_000_000)

    run_virtual(main())


def test_time_is_lost_in_every_halt() -> None:
    async def main() -> None:
        gate = PauseGate()
        pacing = Pacing(DEPTH, loop().clock_us, gate)
        await pacing.ready()
        await pacing.sent(300_000)
        for halted_s in (2, 3):
            gate.halt(loop().now_us)
            await asyncio.sleep(halted_s)
            gate.resume(loop().now_us)
        assert (await pacing.ready(), gate.lost_us) == (100_000, 5_000_000)

    run_virtual(main())
