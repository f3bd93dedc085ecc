"""Work that a stop ends."""

from __future__ import annotations

import asyncio

import pytest

from webapi.voice_node.clock.run import done_before
from webapi.voice_node.clock.virtual_time import run_virtual


@pytest.mark.parametrize("which", [0, 1])
def test_a_stop_or_a_drain_while_a_server_is_being_got_ends_that(which: int) -> None:
    ended: list[str] = []

    async def build() -> str:
        try:
            await asyncio.sleep(180)
        finally:
            ended.append("cleaned up")
        return "built"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        signals = (asyncio.Event(), asyncio.Event())
        loop.call_later(2, signals[which].set)
        assert await done_before(signals, build()) is False
        assert loop.time() == 2
        assert ended == ["cleaned up"]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_what_was_got_in_time_counts_and_its_error_is_told() -> None:
    async def fail() -> None:
        raise OSError("no disk")

    async def main() -> None:
        signals = (asyncio.Event(), asyncio.Event())
        assert await done_before(signals, asyncio.sleep(1)) is True
        with pytest.raises(OSError, match="no disk"):
            await done_before(signals, fail())
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())
