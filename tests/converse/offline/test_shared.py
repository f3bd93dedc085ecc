"""Programs that calls share: made once for a key, stopped when nobody has used them for a while."""

from __future__ import annotations

import asyncio

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.converse.offline.shared import Shared


class Fake:
    def __init__(self) -> None:
        self.stopped = 0

    async def stop(self) -> None:
        self.stopped += 1


def test_calls_with_one_key_share_one_and_the_last_stops_it() -> None:
    async def work() -> None:
        shared: Shared[Fake] = Shared()
        first, second, other = shared.take("a", Fake), shared.take("a", Fake), shared.take("b", Fake)
        assert first is second
        assert first is not other
        await shared.give_back("a", 0)
        assert first.stopped == 0
        await shared.give_back("a", 0)
        assert (first.stopped, other.stopped) == (1, 0)
        assert shared.take("a", Fake) is not first

    asyncio.run(work())


def test_the_next_call_finds_what_is_kept() -> None:
    async def work() -> None:
        shared: Shared[Fake] = Shared()
        first = shared.take("a", Fake)
        await shared.give_back("a", 60)
        await asyncio.sleep(59)
        assert shared.take("a", Fake) is first
        await asyncio.sleep(120)  # the timer that was cancelled would have stopped it
        assert first.stopped == 0
        await shared.give_back("a", 60)
        await asyncio.sleep(61)
        assert first.stopped == 1
        assert shared.take("a", Fake) is not first

    run_virtual(work())


def test_loops_share_nothing() -> None:
    shared: Shared[Fake] = Shared()

    async def take() -> Fake:
        return shared.take("a", Fake)

    assert asyncio.run(take()) is not asyncio.run(take())
