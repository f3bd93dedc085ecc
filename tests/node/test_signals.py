"""SIGHUP: a wish for another graph, or the end of the terminal. (tests/e2e/test_graph_swap.py has real terminals.)"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from webapi.voice_node.node import signals


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The handlers of the tests' own process are put back, and it is not ended."""
    monkeypatch.setattr(signals, "_give_up", lambda: None)
    monkeypatch.setattr(signals, "AFTER_S", 0.01)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_under_nohup_it_only_asks_for_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([True])  # at the start, and never again

    async def main() -> None:
        stop, reload = asyncio.Event(), asyncio.Event()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signals.handle_signals(asyncio.get_running_loop(), stop, reload)
        os.kill(os.getpid(), signal.SIGHUP)
        await reload.wait()
        assert not stop.is_set()

    monkeypatch.setattr(signals, "_has_terminal", lambda: next(looks))
    asyncio.run(main())


@pytest.mark.parametrize(
    ("terminal", "reloads", "stops"),
    [
        ([True, True, True], True, False),
        ([True, False, False], False, True),
        ([True, True, False], True, True),  # a shell that ends tells its jobs, and closes the terminal then
        ([False, False, False], True, False),  # a service never had one
    ],
)
def test_a_hang_up(monkeypatch: pytest.MonkeyPatch, terminal: list[bool], reloads: bool, stops: bool) -> None:
    looks = iter(terminal)
    left = len(terminal)
    looked_enough = asyncio.Event()

    def has_terminal() -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            looked_enough.set()
        return next(looks)

    async def main() -> None:
        stop, reload = asyncio.Event(), asyncio.Event()
        signals.handle_signals(asyncio.get_running_loop(), stop, reload)
        os.kill(os.getpid(), signal.SIGHUP)
        await (stop if stops else reload).wait()
        if terminal[0]:
            await looked_enough.wait()
        assert (reload.is_set(), stop.is_set()) == (reloads, stops)

    monkeypatch.setattr(signals, "_has_terminal", has_terminal)
    asyncio.run(main())
