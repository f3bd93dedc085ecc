"""The edge's bookkeeping in a room of virtual time: who serves the caller, and what becomes of what nobody hears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.fake_room import FakeRoom
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph

Scene = Callable[[FakeRoom], Awaitable[None]]


def make_settings(**given: Any) -> Settings:
    return load_settings(None, **{"vad_backend": "webrtc", "mock_think_ms": 20, **given})


def play(scene: Scene, monkeypatch: pytest.MonkeyPatch, **given: Any) -> FakeRoom:
    """Play it with the default graph. No task may be left."""
    settings = make_settings(**given)

    async def main() -> FakeRoom:
        async with FakeRoom(load_graph("default", settings), settings, monkeypatch) as room:
            await scene(room)
        assert len(asyncio.all_tasks()) == 1
        return room

    return run_virtual(main())


# ---------------------------------------------------------------- a new graph


def swap(room: FakeRoom, name: str = "echo") -> None:
    room.sessions.graph = load_graph(name, make_settings())
    room.host.renew()


def test_a_reply_ends_under_the_graph_that_gave_it_and_the_next_is_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        await room.until("playback_started")
        swap(room)
        await room.until("turn")
        assert len(room.calls) == 1
        await room.until("graph_switched")
        await room.say(0.5)
        await room.until("turn", graph="echo")

    room = play(scene, monkeypatch, mock_reply="tone:2")
    before, after = room.lines
    assert (before["graph"], before["outcome"], before["heard_ms"]) == ("default", "completed", 2000)
    assert (after["graph"], after["outcome"]) == ("echo", "completed")
    assert before["trace_id"] != after["trace_id"]
    (switched,) = (e for e in room.messages.sent if e["event"] == "graph_switched")
    assert (switched["graph"], switched["before"]) == ("echo", before["session_id"])
    assert switched["session_id"] == after["session_id"] != before["session_id"]


def test_who_is_talking_is_answered_by_the_graph_that_heard_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        swap(room)
        await room.say(1.0)
        await room.until("turn")
        await room.until("graph_switched")

    room = play(scene, monkeypatch, mock_reply="tone:1")
    assert [(line["graph"], line["outcome"]) for line in room.lines] == [("default", "completed")]
    assert room.lines[0]["vad_speech_ms"] >= 1300


def test_with_nobody_talking_another_graph_takes_over_at_once_and_hears_the_same_track(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        swap(room)
        await asyncio.sleep(0)
        swapped_s = room.loop.time()
        await room.until("graph_switched")
        assert room.loop.time() - swapped_s < 0.02
        await room.say(0.5)
        await room.until("turn", graph="echo")
        assert len(room.tracks) == 1

    room = play(scene, monkeypatch)
    assert len(room.lines) == 1


def test_a_later_caller_gets_the_graph_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        swap(room)
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        await room.until("turn")

    room = play(scene, monkeypatch)
    assert [line["graph"] for line in room.lines] == ["echo"]
    assert "graph_switched" not in [e["event"] for e in room.messages.sent]


# ---------------------------------------------------------------- sessions that can't be made, or break


def test_a_session_that_can_not_be_made_is_told_and_tried_again_ever_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(room: FakeRoom) -> None:
        room.make_error = UserError("ORCHESTRATOR=gone: there is none of that name.")
        room.join("alice")
        await asyncio.sleep(200)
        room.make_error = None
        await asyncio.sleep(60)
        await room.say(0.5)
        await room.until("turn")

    room = play(scene, monkeypatch)
    pauses = [round(later - sooner) for sooner, later in pairwise(room.made_at_s)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    broke = [e for e in room.messages.sent if e["event"] == "session_broke"]
    assert len(broke) == 9
    assert "ORCHESTRATOR=gone" in broke[0]["detail"]
    assert [line["outcome"] for line in room.lines] == ["completed"]


@pytest.mark.parametrize("cure", ["another graph", "the caller comes again"])
def test_what_may_mend_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, cure: str) -> None:
    async def scene(room: FakeRoom) -> None:
        room.make_error = UserError("no")
        room.join("alice")
        await asyncio.sleep(100)
        room.make_error = None
        if cure == "another graph":
            room.host.renew()
        else:
            room.leave("alice")
            await asyncio.sleep(0)
            room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        await room.until("turn")
        assert room.loop.time() < 105

    play(scene, monkeypatch)


def test_a_session_that_breaks_is_replaced_and_what_was_said_meanwhile_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.1)
        room.calls[0].broke(RuntimeError("an operator failed"))
        await room.say(0.5)
        assert len(room.calls) == 1  # not before a second has passed
        await room.until("turn")
        assert len(room.calls) == 2

    room = play(scene, monkeypatch)
    assert [line["outcome"] for line in room.lines] == ["completed"]
    assert room.lines[0]["vad_speech_ms"] >= 400


def test_an_operator_that_fails_at_once_is_a_session_that_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await room.until("session_broke")
        await asyncio.sleep(2)

    room = play(scene, monkeypatch, orchestrator="no.such:Thing")
    assert 2 <= len(room.calls) <= 3
    broke = [e["detail"] for e in room.messages.sent if e["event"] == "session_broke"]
    assert len(broke) == len(room.calls)
    assert all("ORCHESTRATOR=no.such:Thing" in detail for detail in broke)


# ---------------------------------------------------------------- a track that comes twice


def test_a_track_that_comes_again_is_heard_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        room.subscribed("alice")
        await asyncio.sleep(0.1)
        first, second = room.tracks
        assert first.closed.is_set()
        first.to_say += second.to_say
        await room.say(0.5)
        await room.until("turn")
        room.emit("track_unsubscribed", None, next(iter(room.people["alice"].track_publications.values())))
        await asyncio.sleep(0.1)
        assert second.closed.is_set()

    room = play(scene, monkeypatch)
    assert len(room.lines) == 1


# ---------------------------------------------------------------- a connection that is lost


def test_a_reply_that_nobody_hears_is_over_where_the_connection_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        await room.until("playback_started")
        await asyncio.sleep(1)
        room.emit("reconnecting")
        await asyncio.sleep(5)
        room.emit("reconnected")
        await room.say(0.5)
        await room.until("turn", turn_index=1)

    room = play(scene, monkeypatch, mock_reply="tone:3")
    lost, after = room.lines
    assert lost["outcome"] == "closed"
    assert lost["heard_ms"] == pytest.approx(1000, abs=30)
    assert (after["outcome"], after["heard_ms"], after["session_id"]) == ("completed", 3000, lost["session_id"])


def test_a_reply_that_begins_while_nobody_hears_it_is_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        room.emit("reconnecting")
        await room.until("turn")

    room = play(scene, monkeypatch, mock_reply="tone:3")
    (line,) = room.lines
    assert line["outcome"] == "closed"
    assert line["heard_ms"] <= 20


def test_a_reply_that_is_still_prepared_when_the_connection_is_back_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        room.emit("reconnecting")
        await asyncio.sleep(0.5)
        room.emit("reconnected")
        await room.until("turn")

    room = play(scene, monkeypatch, mock_reply="tone:1", mock_think_ms=1000)
    assert [(line["outcome"], line["heard_ms"]) for line in room.lines] == [("completed", 1000)]


def test_a_room_that_is_gone_ends_the_reply_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(room: FakeRoom) -> None:
        room.join("alice")
        await asyncio.sleep(0.5)
        await room.say(0.5)
        await room.until("playback_started")
        room.host.lose(for_good=False)
        await room.until("turn")

    room = play(scene, monkeypatch, mock_reply="tone:3")
    assert room.lines[0]["outcome"] == "closed"
    assert room.lines[0]["heard_ms"] < 100
