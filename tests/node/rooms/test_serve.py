"""A process with many rooms: which call is joined again when, in virtual time, with a fake room service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.node import calls as calls_module
from webapi.voice_node.node.calls import Calls
from webapi.voice_node.node.rooms import serve
from webapi.voice_node.node.rooms.serve import ManyRooms
from webapi.voice_node.room.room_list import OpenRoom
from webapi.voice_node.room.session_port import SessionPort, SessionRequest

WATCHED_S = 40


class Server:
    """The room service. `taken`: asked at a time, says whether another node is in the room then."""

    def __init__(self, rooms: list[OpenRoom], taken: Callable[[float], bool]) -> None:
        self.rooms = rooms
        self.taken = taken

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def all(self) -> list[OpenRoom]:
        return self.rooms

    async def has(self, room: str, identity: str) -> bool:
        return self.taken(asyncio.get_running_loop().time())


def joined_at(
    monkeypatch: pytest.MonkeyPatch,
    lasts_s: list[float],
    *,
    rooms: tuple[OpenRoom, ...] = (OpenRoom("a", "RM_a", 1),),
    taken: Callable[[float], bool] = lambda _: False,
) -> list[float]:
    """When rooms are joined. `lasts_s`: how long the calls are, in order; a negative one fails after so long."""
    joined: list[float] = []

    class Call:
        def __init__(self, settings: Settings, make_session: object, **_: object) -> None:
            pass

        async def run(self, stop: asyncio.Event) -> None:
            lasts = lasts_s[len(joined)] if len(joined) < len(lasts_s) else 1000.0
            joined.append(round(asyncio.get_running_loop().time() - began_s, 1))
            await asyncio.wait([asyncio.ensure_future(stop.wait())], timeout=abs(lasts))
            if lasts < 0:
                raise RuntimeError("this call fails")

    def no_session(_: SessionRequest) -> SessionPort:
        raise AssertionError("there is no caller")

    monkeypatch.setattr(serve, "RoomList", lambda _: Server(list(rooms), taken))
    monkeypatch.setattr(calls_module, "LiveKitRunner", Call)
    began_s = 0.0

    async def main() -> None:
        nonlocal began_s
        began_s, calls, stop = asyncio.get_running_loop().time(), Calls(10), asyncio.Event()
        many = ManyRooms(pinned_settings(lk_rooms="*"), no_session, calls, lambda _: None)
        running = asyncio.create_task(many.run(stop, lambda: None))
        await asyncio.sleep(WATCHED_S)
        stop.set()
        await running
        await calls.close()

    run_virtual(main())
    return joined


def test_the_pause_doubles_while_calls_fail_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    assert joined_at(monkeypatch, [-0.5] * 4) == [0, 2, 5, 10, 19]


def test_a_call_that_was_served_to_its_end_breaks_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    assert joined_at(monkeypatch, [-0.5, -0.5, -0.5, 3.5, -0.5]) == [0, 2, 5, 10, 14, 16]


def test_a_room_that_another_node_served_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert joined_at(monkeypatch, [-0.5], taken=lambda now_s: now_s < 2) == [5, 7]


def test_two_rooms_of_one_name_are_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = (OpenRoom("a", "RM_old", 1, 1), OpenRoom("a", "RM_new", 1, 2))
    assert joined_at(monkeypatch, [3.5], rooms=twice) == [0, 4]
