"""The watch over the event loop: a real loop that a real call blocks."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

from webapi.voice_node.node.loop_watch import LEAST_S, Blocked, LoopWatch


async def watch_while(work: object) -> list[Blocked]:
    """What is told while `work` runs in the loop, and until something is told."""
    told: list[Blocked] = []
    something = asyncio.Event()

    def tell(blocked: Blocked) -> None:
        told.append(blocked)
        something.set()

    watch = LoopWatch(asyncio.get_running_loop(), tell)
    watch.start()
    try:
        assert callable(work)
        while not told:  # a stall of the machine hides the place; then it is done again
            work()
            await asyncio.wait_for(something.wait(), 30)
            if told[-1].code == "machine":
                told.clear()
                something.clear()
    finally:
        watch.stop()
    return told


def get_audio_reply() -> None:
    """As an orchestrator that blocks."""
    time.sleep(5 * LEAST_S)


def test_who_blocks_the_loop_is_named() -> None:
    (blocked, *_) = asyncio.run(watch_while(get_audio_reply))
    assert blocked.code == "orchestrator"
    assert "test_loop_watch.py:" in blocked.where
    assert "in get_audio_reply: time.sleep(5 * LEAST_S)" in blocked.where
    assert blocked.seconds >= 4 * LEAST_S


def test_a_loop_that_only_waits_is_not_blocked() -> None:
    told: list[Blocked] = []

    async def quiet() -> None:
        watch = LoopWatch(asyncio.get_running_loop(), told.append)
        watch.start()
        await asyncio.sleep(3 * LEAST_S)
        watch.stop()

    asyncio.run(quiet())
    assert [each for each in told if each.code in ("orchestrator", "node")] == []


def test_it_ends_and_leaves_nothing_behind() -> None:
    async def briefly() -> None:
        watch = LoopWatch(asyncio.get_running_loop(), lambda _: None)
        watch.start()
        watch.stop()

    before = len(gc.callbacks)
    asyncio.run(briefly())
    assert len(gc.callbacks) == before
    for thread in threading.enumerate():
        if thread.name == "loop-watch":
            thread.join(10)
            assert not thread.is_alive()
