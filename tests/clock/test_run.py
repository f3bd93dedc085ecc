"""Work that a stop ends."""

from __future__ import annotations

import asyncio

import pytest

from webapi.voice_node.clock.run import done_before
from webapi.voice_node.clock.virtual_time import run_virtual


def test_a_stop_while_a_server_is_being_got_ends_that() -> None:
    ended: list[str] = []

    async def build() -> str:
        try:
            await asyncio.sleep(180)
        finally:
            ended.append("cleaned up")
        return "built"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.call_later(2, stop.set)
        assert await done_before(stop, build()) is False
        assert loop.time() == 2
        assert ended == ["cleaned up"]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_what_was_got_in_time_counts_and_its_error_is_told() -> None:
    async def fail() -> None:
        raise OSError("no disk")

    async def main() -> None:
        stop = asyncio.Event()
        assert await done_before(stop, asyncio.sleep(1)) is True
        with pytest.raises(OSError, match="no disk"):
            await done_before(stop, fail())
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())
