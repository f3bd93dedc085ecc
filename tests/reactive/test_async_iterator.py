"""The bridge from async iterators: a dispose really closes, an error really arrives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from reactivex import Observable, Subject
from reactivex import operators as ops

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.reactive.async_iterator import from_async_iterator
from webapi.voice_node.reactive.tasks import Tasks


class Source:
    """Counts 0, 1, 2… a second apart and notes what is done to it."""

    def __init__(self, name: str, until: int = 5, error: Exception | None = None) -> None:
        self.name = name
        self.until = until
        self.error = error
        self.closed_at: list[float] = []

    async def values(self) -> AsyncGenerator[str, None]:
        try:
            for i in range(self.until):
                yield f"{self.name}{i}"
                await asyncio.sleep(1)
            if self.error:
                raise self.error
        finally:
            self.closed_at.append(asyncio.get_running_loop().time())


def test_values_come_then_the_end_and_the_generator_is_closed() -> None:
    async def main() -> None:
        source, got = Source("a", 3), list[str]()
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        from_async_iterator(source.values, Tasks(loop)).subscribe(
            got.append, done.set_exception, lambda: done.set_result(None)
        )
        await done
        await asyncio.sleep(0)
        assert got == ["a0", "a1", "a2"]
        assert source.closed_at == [3]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_an_error_arrives_as_one() -> None:
    async def main() -> None:
        source = Source("a", 1, ValueError("no"))
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        from_async_iterator(source.values, Tasks(loop)).subscribe(on_error=done.set_exception)
        with pytest.raises(ValueError, match="no"):
            await done

    run_virtual(main())


def test_switch_map_closes_the_old_one_before_the_new_one_speaks() -> None:
    """Subscription windows: a is subscribed from 0 to 2.5, b from 2.5 on."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        sources = {"a": Source("a"), "b": Source("b", 2)}
        got: list[tuple[float, str]] = []
        turns: Subject[str] = Subject()

        def open_source(name: str) -> Observable[str]:
            return from_async_iterator(sources[name].values, Tasks(loop))

        turns.pipe(ops.switch_map(open_source)).subscribe(
            lambda value: got.append((loop.time(), value)), on_error=lambda error: pytest.fail(str(error))
        )
        turns.on_next("a")
        await asyncio.sleep(2.5)
        turns.on_next("b")
        await asyncio.sleep(5)
        assert got == [(0, "a0"), (1, "a1"), (2, "a2"), (2.5, "b0"), (3.5, "b1")]
        assert sources["a"].closed_at == [2.5]
        assert sources["b"].closed_at == [4.5]
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_a_dispose_before_the_first_value_asks_for_none() -> None:
    async def main() -> None:
        source = Source("a")
        got: list[str] = []
        from_async_iterator(source.values, Tasks(asyncio.get_running_loop())).subscribe(got.append).dispose()
        await asyncio.sleep(1)
        assert (got, source.closed_at) == ([], [])
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_a_dispose_from_inside_its_own_value_closes_it() -> None:
    async def main() -> None:
        source = Source("a")
        got: list[str] = []
        stream = from_async_iterator(source.values, Tasks(asyncio.get_running_loop()))
        stream.pipe(ops.take(2)).subscribe(got.append)
        await asyncio.sleep(10)
        assert got == ["a0", "a1"]
        assert len(source.closed_at) == 1
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_a_cancel_that_nobody_asked_for_is_an_error() -> None:
    async def main() -> None:
        async def values() -> AsyncGenerator[int, None]:
            yield 1
            raise asyncio.CancelledError

        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        from_async_iterator(values, Tasks(loop)).subscribe(on_error=done.set_exception)
        with pytest.raises(RuntimeError, match="cancelled from inside"):
            await done

    run_virtual(main())


def test_one_that_ignores_its_cancel_is_closed_at_its_next_value() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pulled: list[int] = []
        got: list[int] = []

        async def values() -> AsyncGenerator[int, None]:
            for i in range(1000):
                pulled.append(i)
                yield i
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(1)

        subscription = from_async_iterator(values, Tasks(loop)).subscribe(got.append)
        await asyncio.sleep(2.5)
        subscription.dispose()
        await asyncio.sleep(10)
        assert (got, pulled) == ([0, 1, 2], [0, 1, 2, 3])
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())
