"""The virtual loop: timers jump, ties stay ties, real I/O is refused."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import BinaryIO

import pytest

from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.errors import UserError


def test_an_hour_passes_at_once_and_to_the_microsecond() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        for _ in range(50 * 60):
            await asyncio.sleep(0.02)
        await asyncio.sleep(3540)
        return loop.now_us

    before = time.process_time()
    assert run_virtual(main()) == 3_600_000_000
    assert time.process_time() - before < 60


def test_timers_at_the_same_instant_strike_together_and_in_the_same_order_every_time() -> None:
    """Which order is asyncio's business (its heap is not first come, first served); that it never changes is ours."""

    async def main() -> list[tuple[float, int]]:
        order: list[tuple[float, int]] = []
        loop = asyncio.get_running_loop()
        for i in range(500):
            loop.call_later(1.0, lambda i: order.append((loop.time(), i)), i)
        await asyncio.sleep(1.1)
        return order

    first, second = run_virtual(main()), run_virtual(main())
    assert first == second
    assert {at for at, _ in first} == {1.0}
    assert len(first) == 500


def test_what_comes_at_an_instant_is_before_what_is_due_at_it_whatever_other_timers_there_are() -> None:
    async def main(others: int) -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        order: list[str] = []

        async def chain() -> None:
            await asyncio.sleep(0.119)
            for _ in range(5):  # several rounds of the loop, all in the millisecond before
                await asyncio.sleep(0)
            order.append("before")
            await asyncio.sleep(0.001)
            order.append("at")

        tasks = [asyncio.ensure_future(asyncio.sleep(i / 100)) for i in range(others)]
        tasks.append(asyncio.ensure_future(chain()))
        for _ in range(6):
            await loop.until(loop.now_us + 20_000)
        order.append("until")
        await asyncio.wait(tasks)
        return order

    assert [run_virtual(main(others)) for others in (0, 1, 5, 40)] == [["before", "until", "at"]] * 4


@pytest.mark.parametrize("days", [0, 1, 100, 400, 3650])
def test_the_clock_keeps_whole_microseconds_however_long_the_machine_has_been_up(days: int) -> None:
    """A recorded call begins where the machine's clock stood; the floats of late timers are coarse."""

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        times = []
        for _ in range(50):
            await loop.until(loop.now_us + 7_000)
            await asyncio.gather(asyncio.sleep(0.013), asyncio.sleep(0.007))
            times.append(loop.now_us - start_us)
        return times

    start_us = days * 86_400 * 1_000_000
    assert run_virtual(main(), start_us=start_us) == [20_000 * i for i in range(1, 51)]


def test_a_jump_passes_nothing_that_is_due_before_it() -> None:
    async def main() -> list[tuple[bool, int]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.call_at(0.02, lambda: None)
        # Before the timer, at it, in the past, and behind the timer.
        seen = [(loop.jump(t_us), loop.now_us) for t_us in (10_000, 20_000, 5_000, 20_001)]
        await loop.until(30_000)
        loop.call_soon(lambda: None)
        return [*seen, (loop.jump(40_000), loop.now_us)]

    expected = [(True, 10_000), (True, 20_000), (True, 20_000), (False, 20_000), (False, 30_000)]
    assert run_virtual(main()) == expected


def test_values_are_given_at_their_times_until_something_else_is_due() -> None:
    async def main() -> list[tuple[int, str]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        given: list[tuple[int, str]] = []

        def take(value: str) -> None:
            given.append((loop.now_us, value))
            if value == "c":
                loop.call_soon(given.append, (loop.now_us, "soon"))

        values = [(10_000, "a"), (10_000, "b"), (20_000, "c"), (20_000, "d"), (30_000, "e"), (40_000, "f")]
        loop.call_at(0.03, lambda: given.append((loop.now_us, "timer")))
        assert loop.give(values, 0, take) == 4  # what is to be done soon comes before the next time
        await loop.until(30_000)
        assert loop.give(values, 4, take) == 5  # what is due at 30 ms comes after what is given then
        await loop.until(40_000)
        assert loop.give(values, 5, take) == loop.give(values, 6, take) == 6
        return given

    assert run_virtual(main()) == [
        (10_000, "a"), (10_000, "b"), (20_000, "c"), (20_000, "d"), (20_000, "soon"),
        (30_000, "e"), (30_000, "timer"), (40_000, "f"),
    ]  # fmt: skip


def test_what_waits_for_nothing_is_said() -> None:
    with pytest.raises(UserError, match="nothing will ever happen"):
        run_virtual(asyncio.Event().wait())


def test_a_connection_is_refused() -> None:
    with pytest.raises(UserError, match="opens a connection"):
        run_virtual(asyncio.open_connection("127.0.0.1", 9))


def test_a_process_is_refused_before_it_starts_where_it_was_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"starts a process\. Replay it with --pace real"):
        run_virtual(asyncio.create_subprocess_exec("echo", "it ran", stdin=asyncio.subprocess.PIPE))
    with pytest.raises(UserError, match="starts a process"):
        run_virtual(asyncio.create_subprocess_shell("echo it ran"))
    assert capfd.readouterr() == ("", "")


def test_a_connection_that_exists_already_is_refused_without_a_word(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing has to wait for it: it would be registered later, in a callback of the loop."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(UserError, match="opens a connection"):
            run_virtual(asyncio.open_connection(sock=ours))
        with open(theirs.fileno(), "rb", closefd=False) as pipe, pytest.raises(UserError, match="opens a pipe"):
            run_virtual(_read_from(pipe))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


async def _read_from(pipe: BinaryIO) -> None:
    await asyncio.get_running_loop().connect_read_pipe(asyncio.Protocol, pipe)


def test_a_thread_is_refused() -> None:
    with pytest.raises(UserError, match="wants a thread"):
        run_virtual(asyncio.to_thread(time.sleep, 0))


def test_what_is_left_running_is_cancelled() -> None:
    closed: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(10**6)
        finally:
            closed.append("yes")

    async def main() -> None:
        main.task = asyncio.ensure_future(forever())  # type: ignore[attr-defined]  # kept, so that it is not collected
        await asyncio.sleep(1)

    run_virtual(main())
    assert closed == ["yes"]
