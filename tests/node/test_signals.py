"""Signals: one request to close, however many come at once; SIGHUP. (tests/e2e has real terminals and a whole node.)"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

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


# ---------------------------------------------------------------- several signals at once

ROOT = Path(__file__).parents[2]

# A node as small as can be: says that it is there, and writes a last line when it was allowed to close.
NODE = """
import asyncio
from webapi.voice_node.node.signals import handle_signals

async def main():
    stop = asyncio.Event()
    handle_signals(asyncio.get_running_loop(), stop, asyncio.Event())
    print("there", flush=True)
    await stop.wait()
    await asyncio.sleep(0.5)  # what closing takes
    print("closed", flush=True)

asyncio.run(main())
"""

BLOCKED = """
import asyncio, time
from webapi.voice_node.node.signals import handle_signals

async def main():
    handle_signals(asyncio.get_running_loop(), asyncio.Event(), asyncio.Event())
    print("there", flush=True)
    time.sleep(60)

asyncio.run(main())
"""


def start(program: str) -> subprocess.Popen[str]:
    """A process of its own, in a group of its own, that handles signals."""
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert started.stdout
    assert started.stdout.readline() == "there\n"
    return started


@pytest.mark.parametrize("pause_s", [0, 0.002, 0.05])
@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGINT),
        (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM),
        (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT),
    ],
)
def test_signals_within_a_second_are_one_request(numbers: Sequence[signal.Signals], pause_s: float) -> None:
    with start(NODE) as node:
        for number in numbers:
            node.send_signal(number)
            time.sleep(pause_s)
        assert node.stdout
        assert node.stdout.read() == "closed\n"
    assert node.returncode == 0


def test_a_signal_to_the_process_group_that_a_parent_passes_on_as_well_is_one_request() -> None:
    with start(NODE) as node:
        os.killpg(node.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
        node.terminate()  # as make does then
        assert node.stdout
        assert node.stdout.read() == "closed\n"
    assert node.returncode == 0


def test_who_asks_again_later_ends_it_at_once() -> None:
    with start(BLOCKED) as node:
        while node.poll() is None:  # the requests of the first second are one
            node.send_signal(signal.SIGINT)
            time.sleep(0.05)
    assert node.returncode == 130


# ---------------------------------------------------------------- draining

DRAINED = """
import asyncio
from webapi.voice_node.node.signals import handle_signals

async def main():
    stop, drain = asyncio.Event(), asyncio.Event()
    handle_signals(asyncio.get_running_loop(), stop, asyncio.Event(), drain)
    print("there", flush=True)
    await drain.wait()
    print("draining", stop.is_set(), flush=True)
    await stop.wait()
    print("closed", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_calls_to_drain_the_first_request_drains_and_the_second_closes(number: signal.Signals) -> None:
    with start(DRAINED) as node:
        assert node.stdout
        node.send_signal(number)
        node.send_signal(number)  # a parent passes it on: the same request
        assert node.stdout.readline() == "draining False\n"
        time.sleep(signals.SAME_S + 0.1)
        node.send_signal(number)
        assert node.stdout.read() == "closed\n"
    assert node.returncode == 0
