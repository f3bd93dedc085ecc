"""When the node leaves a room in which there is nobody to serve, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from livekit import rtc
from loguru import logger

from tests.fake_room import FakeRoom
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.room.vacancy import BEGIN_S, EMPTY_S
from webapi.voice_node.room.who_is_heard import BACK_S


def left_at(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[FakeRoom], Awaitable[object]], stay_s: float = EMPTY_S
) -> float | None:
    """What happens in a room, and the seconds after which the node wants to leave it; None: it stays for an hour."""
    settings = pinned_settings(vad_backend="webrtc")

    async def main() -> float | None:
        async with FakeRoom(load_graph("default", settings), settings, monkeypatch, stay_s) as room:
            began_s = room.loop.time()
            over = asyncio.create_task(room.vacancy.over.wait())
            await happens(room)
            await asyncio.wait([over], timeout=3600)
            over.cancel()
            if not room.vacancy.over.is_set():
                return None
            left_s, served = room.loop.time(), len(room.calls)
            await asyncio.sleep(3)  # LiveKitRunner does not wait so long until it leaves
            assert len(room.calls) == served
            return round(left_s - began_s, 1)

    return run_virtual(main())


async def nothing(_: FakeRoom) -> None:
    """Nobody comes."""


async def a_call(room: FakeRoom) -> None:
    room.join("alice")
    await asyncio.sleep(10)
    room.leave("alice")


async def somebody_without_a_microphone(room: FakeRoom) -> None:
    room.join("alice", mic=False)


async def another_bot(room: FakeRoom) -> None:
    room.join("bot", kind=rtc.ParticipantKind.PARTICIPANT_KIND_AGENT)


async def one_who_comes_back(room: FakeRoom) -> None:
    await a_call(room)
    await asyncio.sleep(EMPTY_S - 1)
    room.join("alice")
    await asyncio.sleep(100)
    room.leave("alice")


def test_it_leaves_when_nobody_has_been_there_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    assert left_at(monkeypatch, nothing) == EMPTY_S
    assert left_at(monkeypatch, another_bot) == EMPTY_S
    assert left_at(monkeypatch, a_call) == 10 + EMPTY_S
    assert left_at(monkeypatch, one_who_comes_back) == 10 + EMPTY_S - 1 + 100 + EMPTY_S


def test_it_stays_with_those_who_could_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert left_at(monkeypatch, somebody_without_a_microphone) is None


def test_a_node_for_one_room_stays_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert left_at(monkeypatch, a_call, stay_s=float("inf")) is None


def test_draining_it_serves_the_caller_to_the_end_and_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drained_meanwhile(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(5)
        room.host.drain()
        await room.say(1.0, wait_s=4.0)
        assert [line["outcome"] for line in room.lines] == ["completed"]
        room.join("next")
        room.leave("alice")

    # Whoever waits for the seat is not served any more, so the node leaves as the caller does.
    assert left_at(monkeypatch, drained_meanwhile) == 10


def test_draining_a_call_has_ended_before_the_node_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def note(message: Any) -> None:
        of_line = message.record["extra"]
        ended.extend([of_line["reason"]] if of_line.get("event") == "call_ended" else [])

    async def drained(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(5)
        room.host.drain()
        room.leave("alice")
        await room.vacancy.over.wait()
        room.stop()  # as LiveKitRunner does
        await room.host.close()

    number = logger.add(note, level="DEBUG")
    left_at(monkeypatch, drained)
    logger.remove(number)
    assert ended == ["left"]


def test_draining_the_next_caller_is_not_greeted_where_the_audio_of_the_one_before_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def without_audio(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(5)
        room.host.drain()
        room.join("next")
        room.unpublish("alice", "TR_alice")

    assert left_at(monkeypatch, without_audio) == 5 + BACK_S


def test_draining_a_lost_connection_keeps_the_caller_and_serves_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost_and_back(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(5)
        room.host.drain()
        room.lose()
        await asyncio.sleep(2)
        room.enter()

    async def somebody_else_comes_back(room: FakeRoom) -> None:
        await lost_and_back(room)
        room.join("bob")

    async def the_caller_comes_back(room: FakeRoom) -> None:
        await lost_and_back(room)
        room.join("alice")
        await asyncio.sleep(7)
        assert not room.vacancy.over.is_set()
        room.leave("alice")

    assert left_at(monkeypatch, somebody_else_comes_back) == 7 + BACK_S
    assert left_at(monkeypatch, the_caller_comes_back) == 14


def test_draining_it_leaves_those_who_only_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drained(room: FakeRoom) -> None:
        room.join("alice", mic=False)
        await asyncio.sleep(5)
        room.host.drain()

    assert left_at(monkeypatch, drained) == 5 + BEGIN_S


def test_a_call_that_was_just_taken_is_served_to_the_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drained_before_the_caller_is_heard(room: FakeRoom) -> None:
        room.host.drain()
        await asyncio.sleep(1)
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(1.0, wait_s=7.5)
        assert [line["outcome"] for line in room.lines] == ["completed"]
        room.leave("alice")

    assert left_at(monkeypatch, drained_before_the_caller_is_heard) == 10
