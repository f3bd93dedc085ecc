"""Joining a room: what happens where the server does not answer, and the pauses between two tries."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

import pytest
from livekit import rtc

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.room import connection
from webapi.voice_node.room.connection import PUBLISH_S, SOON_S, Joiner, backoff
from webapi.voice_node.room.track_sink import TrackSink


class Room:
    """In place of a room: it is joined at once."""

    def __init__(self) -> None:
        self.left = False

    def on(self, *_: object) -> None:
        """Nothing happens to it."""

    async def connect(self, *_: object) -> None:
        await asyncio.sleep(0)

    async def disconnect(self) -> None:
        self.left = True


class Sink:
    """In place of a sink: the server takes the track of some joins only."""

    def __init__(self, takes: list[bool]) -> None:
        self._takes = takes
        self.log: list[str] = []

    async def prepare(self) -> None:
        self.log.append("prepare")

    async def publish(self, *_: object) -> str:
        self.log.append("publish")
        if not self._takes.pop(0):
            await asyncio.Event().wait()
        return "TR"


def join(monkeypatch: pytest.MonkeyPatch, takes: list[bool]) -> tuple[list[Room], Sink, float, Any]:
    """Join once: the rooms that were made, the sink, how long it took, and the connection or the error."""
    rooms: list[Room] = []
    sink = Sink(takes)

    def new_room() -> Room:
        rooms.append(Room())
        return rooms[-1]

    async def scenario() -> tuple[float, Any]:
        monkeypatch.setattr(connection, "new_room", new_room)
        joiner = Joiner(pinned_settings(lk_room="demo"), cast(TrackSink, sink), lambda _: None)
        try:
            result: Any = await joiner.first()
        except UserError as error:
            result = error
        took_s = asyncio.get_running_loop().time()
        await joiner.close(1.0)
        return took_s, result

    return rooms, sink, *run_virtual(scenario())


def test_the_track_is_made_before_the_room_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, sink, _, joined = join(monkeypatch, [True])
    assert sink.log == ["prepare", "publish"]
    assert joined.room is cast(rtc.Room, rooms[0])
    assert not rooms[0].left


def test_a_room_in_which_the_track_gets_no_answer_is_left_and_joined_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms, sink, took_s, joined = join(monkeypatch, [False, True])
    assert SOON_S <= took_s < SOON_S + 1
    assert [room.left for room in rooms] == [True, False]
    assert joined.room is cast(rtc.Room, rooms[1])
    assert sink.log == ["prepare", "publish"] * 2


def test_a_server_that_never_takes_the_track_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms, _, took_s, error = join(monkeypatch, [False, False])
    assert took_s < SOON_S + PUBLISH_S + 1
    assert all(room.left for room in rooms)
    assert isinstance(error, UserError)
    assert "joined, but the server does not answer to the node's track" in str(error)


def test_pauses_double_up_to_three_seconds_and_keep_nodes_from_coming_back_all_at_once() -> None:
    ceilings = [0.5, 1, 2, 3, 3, 3, 3, 3]
    assert list(itertools.islice(backoff(max), 8)) == ceilings
    assert list(itertools.islice(backoff(min), 8)) == [c / 2 for c in ceilings]
