"""What is run for a limited time leaves nothing behind."""

from __future__ import annotations

import asyncio

from webapi.voice_node.room.bounded import bounded


def test_what_hangs_is_cancelled_and_left_and_errors_stay_inside() -> None:
    cancelled = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    async def fail() -> None:
        raise RuntimeError("inside")

    async def scenario() -> None:
        await bounded(hang(), 0.01, "something that hangs")
        await bounded(fail(), 1.0, "something that fails")
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
    assert cancelled == [True]


def test_a_bounded_wait_that_is_cancelled_takes_its_work_with_it() -> None:
    async def scenario() -> None:
        waiting = asyncio.create_task(bounded(asyncio.Event().wait(), 60, "a long wait"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
