"""The calls of one loop: side by side, one that fails, draining and closing; in virtual time, with fake rooms."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.node import calls as calls_module
from webapi.voice_node.node.calls import Calls
from webapi.voice_node.room.session_port import SessionPort, SessionRequest


class Room:
    """In place of LiveKitRunner: a call of so many seconds, in a room whose name says how many."""

    def __init__(self, settings: Settings, make_session: object, *, ends_with_room: bool, first_token: object) -> None:
        assert ends_with_room
        self.seconds = math.inf if settings.lk_room == "for ever" else float(settings.lk_room)
        self.drained = False

    async def run(self, stop: asyncio.Event) -> None:
        if self.seconds < 0:
            raise RuntimeError("this call fails")
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([stopping], timeout=None if math.isinf(self.seconds) else self.seconds)
        stopping.cancel()

    def drain(self) -> None:
        self.drained = True


def no_session(_: SessionRequest) -> SessionPort:
    raise AssertionError("there is no caller")


def in_virtual_time(monkeypatch: pytest.MonkeyPatch, scenario: Callable[[Calls], Coroutine[Any, Any, None]]) -> None:
    monkeypatch.setattr(calls_module, "LiveKitRunner", Room)

    async def main() -> None:
        await scenario(Calls(limit=3))

    run_virtual(main())


def begin(calls: Calls, *rooms: str) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(calls.serve(pinned_settings(lk_room=room), no_session)) for room in rooms]


def seconds() -> float:
    return round(asyncio.get_running_loop().time(), 3)


def test_calls_go_on_side_by_side_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(calls: Calls) -> None:
        tasks = begin(calls, "1", "2")
        await asyncio.sleep(0.5)
        assert (calls.active, calls.full) == (2, False)
        tasks += begin(calls, "3")
        await asyncio.sleep(0)
        assert (calls.active, calls.full) == (3, True)
        await asyncio.sleep(1)
        assert (calls.active, calls.full) == (2, False)
        await asyncio.gather(*tasks)

    in_virtual_time(monkeypatch, scenario)


def test_one_that_fails_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(calls: Calls) -> None:
        wrong, right = begin(calls, "-1", "5")
        with pytest.raises(RuntimeError, match="this call fails"):
            await wrong
        assert calls.active == 1
        await right
        assert (calls.active, seconds()) == (0, 5)

    in_virtual_time(monkeypatch, scenario)


def test_draining_waits_for_the_last_call_and_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(calls: Calls) -> None:
        tasks = begin(calls, "4", "7")
        await asyncio.sleep(1)
        finishing = asyncio.create_task(calls.finish(asyncio.Event(), 600))
        await asyncio.sleep(0)
        assert calls.full
        await finishing
        assert (seconds(), calls.active) == (7, 0)
        await asyncio.gather(*tasks)

    in_virtual_time(monkeypatch, scenario)


@pytest.mark.parametrize(("timeout_s", "stops_at_s", "over_at_s"), [(600, 5, 5), (9, 20, 9), (0, 20, 0)])
def test_calls_that_are_left_are_closed_after_the_time_or_when_asked(
    monkeypatch: pytest.MonkeyPatch, timeout_s: float, stops_at_s: float, over_at_s: float
) -> None:
    async def scenario(calls: Calls) -> None:
        tasks = begin(calls, "for ever", "for ever")
        await asyncio.sleep(0)
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(stops_at_s, stop.set)
        await calls.finish(stop, timeout_s)
        assert (seconds(), calls.active) == (over_at_s, 0)
        await asyncio.gather(*tasks)

    in_virtual_time(monkeypatch, scenario)


def test_a_call_that_comes_while_draining_is_drained_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(calls: Calls) -> None:
        calls.drain()
        (task,) = begin(calls, "1")
        await asyncio.sleep(0)
        assert [runner.drained for runner in calls._runners if isinstance(runner, Room)] == [True]
        await task

    in_virtual_time(monkeypatch, scenario)
