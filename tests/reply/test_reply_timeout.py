"""The time limit of a reply: it ends a wait in time, and no cancel but its own."""

from __future__ import annotations

import asyncio
import sys

import pytest

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.reply.reply_timeout import ReplyTimedOutError, ReplyTimeout


def test_a_wait_ends_in_time_and_leaves_the_task_usable() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        timeout = ReplyTimeout(2)
        with pytest.raises(ReplyTimedOutError):
            await timeout.wait(asyncio.sleep(10))
        assert loop.time() == 2
        timeout.renew()
        assert await timeout.wait(asyncio.sleep(1, "in time")) == "in time"
        await asyncio.sleep(5)  # the timer of the one that came in time does not strike later
        assert loop.time() == 8

    run_virtual(main())


def test_a_timeout_that_is_renewed_lasts_its_whole_time_again() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        timeout = ReplyTimeout(2)
        for i in range(5):
            assert await timeout.wait(asyncio.sleep(1.5, i)) == i
            timeout.renew()
        with pytest.raises(ReplyTimedOutError):
            await timeout.wait(asyncio.sleep(10))
        assert loop.time() == 5 * 1.5 + 2

    run_virtual(main())


def test_a_real_cancel_passes() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def wait() -> None:
        await ReplyTimeout(10).wait(asyncio.sleep(5))

    run_virtual(main())


def test_a_real_cancel_is_one_also_after_a_wait_that_outlived_its_timeout() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def stubborn() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "all the same"
        return ""

    async def wait() -> None:
        timeout = ReplyTimeout(2)
        assert await timeout.wait(stubborn()) == "all the same"
        if sys.version_info >= (3, 11):
            task = asyncio.current_task()
            assert task
            assert task.cancelling() == 0
        timeout.renew()
        await timeout.wait(asyncio.sleep(10))

    run_virtual(main())
