"""Many rooms in one process: calls end alone, and what the room service answers ends nothing."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.node.calls import Calls
from webapi.voice_node.node.rooms import serve as module
from webapi.voice_node.node.rooms.serve import TAKEN_S, ManyRooms
from webapi.voice_node.room.room_list import OpenRoom


class Server:
    """The room service, and the calls in its rooms, which end when their room is to."""

    def __init__(self, *rooms: str) -> None:
        self.rooms = [OpenRoom(room, f"RM_{room}", 1) for room in rooms]
        self.error: Exception | None = None
        self.taken: set[str] = set()
        self.served: list[tuple[str, float]] = []  # and when
        self.reports: list[str | None] = []
        self.ends: dict[str, asyncio.Future[None]] = {}

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def all(self) -> list[OpenRoom]:
        if self.error is not None:
            raise self.error
        return list(self.rooms)

    async def has(self, room: str, _: str) -> bool:
        return room in self.taken

    async def serve(self, settings: Settings, *_: object) -> None:
        room, loop = settings.lk_room, asyncio.get_running_loop()
        self.served.append((room, loop.time()))
        self.ends[room] = loop.create_future()
        await self.ends[room]


async def serving(server: Server, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> asyncio.Task[None]:
    """Serve its rooms until the end of the test."""
    monkeypatch.setattr(module, "RoomList", lambda _: server)
    calls = Calls(10)
    monkeypatch.setattr(calls, "serve", server.serve)
    given = pinned_settings(lk_rooms="*", **settings)
    rooms = ManyRooms(given, lambda _: pytest.fail("no session"), calls, server.reports.append)
    return asyncio.create_task(rooms.run(asyncio.Event(), lambda: None))


@pytest.mark.parametrize("error", [UserError("no answer"), KeyError("code")])
def test_a_room_service_that_fails_is_asked_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("one")

    async def scenario() -> None:
        task = await serving(server, monkeypatch)
        await asyncio.sleep(1.5)
        server.error = error
        await asyncio.sleep(5)
        server.error = None
        server.rooms.append(OpenRoom("two", "RM_two", 1))
        await asyncio.sleep(2)
        assert not task.done()
        task.cancel()

    run_virtual(scenario())
    assert [room for room, _ in server.served] == ["one", "two"]
    assert server.reports == [None, "server_unreachable", None]


def test_a_room_that_opens_again_under_its_name_is_joined_when_the_call_before_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server("r")

    async def scenario() -> None:
        await serving(server, monkeypatch)
        await asyncio.sleep(2)
        server.rooms = [OpenRoom("r", "RM_new", 1)]  # the old call still closes
        await asyncio.sleep(5)
        assert len(server.served) == 1
        server.ends["r"].set_result(None)
        await asyncio.sleep(2)

    run_virtual(scenario())
    assert len(server.served) == 2


def test_a_call_that_fails_ends_alone_and_is_tried_again_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("bad", "good")

    async def scenario() -> None:
        task = await serving(server, monkeypatch)
        for _ in range(300):
            await asyncio.sleep(0.1)
            if "bad" in server.ends and not server.ends["bad"].done():
                server.ends["bad"].set_exception(RuntimeError("broken"))
        assert not task.done()

    run_virtual(scenario())
    times_s = [at_s for room, at_s in server.served if room == "bad"]
    pauses_s = [after_s - before_s for before_s, after_s in pairwise(times_s)]
    assert pauses_s == sorted(pauses_s)
    assert pauses_s[-1] >= 4
    assert [room for room, _ in server.served].count("good") == 1


def test_a_room_that_another_node_serves_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("r")
    server.taken.add("r")

    async def scenario() -> None:
        await serving(server, monkeypatch)
        await asyncio.sleep(TAKEN_S - 1)
        assert server.served == []
        server.taken.clear()
        await asyncio.sleep(TAKEN_S)

    run_virtual(scenario())
    assert len(server.served) == 1
