"""Which of the SDK's events reach a room, a stream and a source: what they would throw away does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto.ffi_pb2 import FfiEvent

from webapi.voice_node.room.own_events import new_room, new_source, new_stream

MINE, ANOTHERS = 7, 8


def frame(handle: int) -> FfiEvent:
    event = FfiEvent()
    event.audio_stream_event.stream_handle = handle
    return event


def of_room(handle: int) -> FfiEvent:
    event = FfiEvent()
    event.room_event.room_handle = handle
    return event


def of_kind(name: str) -> FfiEvent:
    event = FfiEvent()
    getattr(event, name).SetInParent()
    return event


class Made:
    """In place of a class of the SDK: keeps the loop that it was given, and has a handle once `connect` was called."""

    def __init__(self, *_: object, **given: Any) -> None:
        self.loop: asyncio.AbstractEventLoop = given["loop"]

    def connect(self) -> None:
        self._ffi_handle = SimpleNamespace(handle=MINE)


async def passed(loop: asyncio.AbstractEventLoop, events: list[FfiEvent]) -> list[FfiEvent]:
    """Which of these come through, as the SDK hands them over."""
    got: asyncio.Queue[FfiEvent] = asyncio.Queue()
    for event in events:
        loop.call_soon_threadsafe(got.put_nowait, event)
    await asyncio.sleep(0)
    return [got.get_nowait() for _ in range(got.qsize())]


def test_a_stream_gets_its_own_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(rtc, "AudioStream", Made)
        stream = cast(Made, new_stream(cast(rtc.Track, None), capacity=1))
        both = [frame(MINE), frame(ANOTHERS)]
        assert await passed(stream.loop, both) == both  # it is not known yet which are its own
        stream.connect()
        assert await passed(stream.loop, both) == [frame(MINE)]

    asyncio.run(scenario())


def test_a_room_gets_its_own_events_and_the_answers_that_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(rtc, "Room", lambda loop: Made(loop=loop))
        room = cast(Made, new_room())
        answers = [of_kind("publish_track"), of_kind("unpublish_track"), of_kind("rpc_method_invocation")]
        others = [of_kind("capture_audio_frame"), of_kind("get_stats"), frame(MINE)]
        assert await passed(room.loop, [of_room(ANOTHERS)]) == [of_room(ANOTHERS)]  # while it connects
        room.connect()
        came = await passed(room.loop, [of_room(MINE), of_room(ANOTHERS), *answers, *others])
        assert came == [of_room(MINE), *answers]

    asyncio.run(scenario())


def test_a_source_gets_the_answers_to_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(rtc, "AudioSource", Made)
        source = cast(Made, new_source(48_000, 1000))
        captured = of_kind("capture_audio_frame")
        assert await passed(source.loop, [frame(MINE), of_room(MINE), captured]) == [captured]

    asyncio.run(scenario())


@pytest.mark.parametrize("arguments", [(), (3,), (1, 2)])
def test_a_call_without_an_event_is_passed_on(monkeypatch: pytest.MonkeyPatch, arguments: tuple[int, ...]) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(rtc, "AudioSource", Made)
        loop, called = cast(Made, new_source(48_000, 1000)).loop, asyncio.Event()
        loop.call_soon_threadsafe(lambda *_: called.set(), *arguments)
        await called.wait()
        assert loop.time() > 0  # and everything else is the loop's
        assert isinstance(loop.create_future(), asyncio.Future)

    asyncio.run(scenario())


def test_the_sdk_still_hands_events_to_the_loop_of_the_object() -> None:
    """Else nothing would be kept away, and nobody would notice."""

    async def scenario() -> None:
        source = new_source(48_000, 1000)
        asked: list[Callable[..., object]] = []
        queue = FfiClient.instance.queue.subscribe(source._loop)
        keep = source._loop.call_soon_threadsafe

        def note(callback: Callable[..., object], *given: Any) -> None:
            asked.append(callback)
            keep(callback, *given)

        cast(Any, source._loop).call_soon_threadsafe = note
        try:
            FfiClient.instance.queue.put(frame(ANOTHERS))
            await asyncio.sleep(0)
            assert asked == [queue.put_nowait]
            assert queue.empty()
        finally:
            FfiClient.instance.queue.unsubscribe(queue)
            await source.aclose()

    asyncio.run(scenario())
