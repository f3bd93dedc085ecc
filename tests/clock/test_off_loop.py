"""Computations beside the loop."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from webapi.voice_node.clock import off_loop
from webapi.voice_node.clock.off_loop import MOST_WAITING, _Threads, at_once, in_threads, within_limit


def test_at_once_it_is_done_when_the_call_returns() -> None:
    found: list[int] = []
    at_once(lambda: 5, found.append)
    assert found == [5]


def test_within_the_limit_it_is_as_at_once() -> None:
    found: list[int] = []
    within_limit(lambda: 5, found.append)
    assert found == [5]
    with pytest.raises(KeyboardInterrupt):
        within_limit(_interrupted, found.append)
    with pytest.raises(ValueError, match="done"):
        within_limit(lambda: 5, _fails)


def _interrupted() -> int:
    raise KeyboardInterrupt


def _fails(_: object) -> None:
    raise ValueError("done")


def test_what_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off_loop, "LIMIT_S", 0.1)
    gate, found = threading.Event(), list[bool]()
    with pytest.raises(off_loop.TookTooLongError, match=r"it has not ended within 0\.1 s"):
        within_limit(gate.wait, found.append)
    gate.set()
    assert found == []  # also when it ends after all


def test_in_threads_the_loop_goes_on_and_gets_the_results_in_its_own_thread() -> None:
    async def main() -> None:
        compute = in_threads(asyncio.get_running_loop())
        gate, done, found = threading.Event(), asyncio.Event(), []

        def waits() -> str:
            gate.wait(20)
            return threading.current_thread().name

        def take(name: str) -> None:
            found.append((name, threading.current_thread()))
            if len(found) == 6:
                done.set()

        for _ in range(6):
            compute(waits, take)
        await asyncio.sleep(0)
        assert found == []  # the loop has not waited
        gate.set()
        await asyncio.wait_for(done.wait(), 20)
        assert {thread for _, thread in found} == {threading.current_thread()}
        assert {name for name, _ in found} <= {"off-loop-1", "off-loop-2"}

    asyncio.run(main())


def test_where_computations_hang_what_waits_behind_them_does_not_grow_without_end() -> None:
    threads, gate = _Threads(1), threading.Event()
    ran: list[int] = []
    over = threading.Event()
    began = threading.Event()

    def hangs() -> None:
        began.set()
        gate.wait(20)

    threads.put(hangs)
    assert began.wait(20)
    for number in range(2 * MOST_WAITING):
        threads.put(partial(ran.append, number))
    gate.set()
    while ran[-1:] != [MOST_WAITING - 1]:
        over.wait(0.01)
    threads.put(over.set)
    assert over.wait(20)
    assert ran == list(range(MOST_WAITING))


def test_what_is_done_when_the_loop_has_closed_is_dropped() -> None:
    gate, ended = threading.Event(), threading.Event()
    found: list[None] = []

    def waits() -> None:
        gate.wait(20)

    async def main() -> None:
        in_threads(asyncio.get_running_loop())(waits, found.append)

    asyncio.run(main())
    gate.set()

    async def again() -> None:
        compute = in_threads(asyncio.get_running_loop())
        done = asyncio.Event()
        for _ in range(2):  # one for each thread: what came before has ended then
            compute(ended.set, lambda _: done.set())
        await asyncio.wait_for(done.wait(), 20)

    asyncio.run(again())
    assert ended.is_set()
    assert found == []
