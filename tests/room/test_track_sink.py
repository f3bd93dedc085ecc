"""The sink as far as it needs no server, in virtual time. (tests/e2e/test_sink.py has a real room.)"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from livekit import rtc
from loguru import logger

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.playback.fades import fade_out
from webapi.voice_node.room import track_sink
from webapi.voice_node.room.track_queue import LATE_S, TICK_S, Ticks
from webapi.voice_node.room.track_sink import MAX_WAITING, PIECE_BYTES, QUIET, TrackSink

LOUD = np.full(PIECE_BYTES // 2, 10_000, "<i2").tobytes()  # 20 ms
SOFT = np.full(PIECE_BYTES // 2, 1778, "<i2").tobytes()


class Source:
    """In place of rtc.AudioSource: `inside` is what was put into it and not cleared; nothing is ever played."""

    def __init__(self) -> None:
        self.inside = b""
        self.ready = asyncio.Event()  # capture_frame waits for it
        self.ready.set()
        self.asked = 0  # calls of capture_frame

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        self.asked += 1
        await self.ready.wait()
        self.inside += bytes(frame.data)

    def clear_queue(self) -> None:
        self.inside = b""

    async def aclose(self) -> None:
        pass


class Stage:
    """A sink whose tracks have a tick at every 10 ms of the loop's time, and the sources of these tracks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sink = TrackSink()
        self.sources: list[Source] = []
        loop = asyncio.get_running_loop()

        def make_source(*_: object, **__: object) -> Source:
            self.sources.append(Source())
            return self.sources[-1]

        async def ticks(_: object) -> Ticks:
            return Ticks([n * TICK_S + LATE_S for n in range(10)])

        looks = itertools.count()

        def clock_s() -> float:
            return loop.time() + next(looks) * 1e-9  # as any clock, it moves on between two looks

        monkeypatch.setattr(track_sink, "time", SimpleNamespace(monotonic=clock_s))
        monkeypatch.setattr(track_sink, "learn_ticks", ticks)
        monkeypatch.setattr(rtc, "AudioSource", make_source)
        monkeypatch.setattr(rtc.LocalAudioTrack, "create_audio_track", lambda *_: None)

    async def publish(self) -> Source:
        """Publish into a room, a new one each time."""

        async def publish_track(*_: object) -> object:
            return SimpleNamespace(sid="TR")

        room = SimpleNamespace(local_participant=SimpleNamespace(publish_track=publish_track))
        await self.sink.prepare()
        await self.sink.publish(cast(rtc.Room, room), "bot_out")
        return self.sources[-1]


Scene = Callable[[Stage], Awaitable[None]]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    """Plays a scene, and takes the sink off. No task may be left."""

    def play(scene: Scene) -> None:
        async def main() -> None:
            stage = Stage(monkeypatch)
            await scene(stage)
            await stage.sink.unbind()
            assert len(asyncio.all_tasks()) == 1

        run_virtual(main())

    return play


async def until(seconds: float) -> None:
    """Wait until that time of the loop."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time())


def test_a_clear_between_two_ticks_fades_out_what_would_have_come_next(play: Callable[[Scene], None]) -> None:
    async def scene(stage: Stage) -> None:
        source = await stage.publish()
        await until(1.005)
        for _ in range(5):
            stage.sink.push(LOUD)
        await until(1.015)  # 10 ms of 100 are played
        stage.sink.clear()
        await until(1.5)
        assert source.inside == fade_out(LOUD) + QUIET

    play(scene)


@pytest.mark.parametrize("waiting", [0, 3])
def test_a_clear_at_a_tick_is_a_hard_cut_as_it_is_not_known_what_would_have_come_next(
    play: Callable[[Scene], None], waiting: int
) -> None:
    async def scene(stage: Stage) -> None:
        source = await stage.publish()
        await until(1.005)
        stage.sink.push(LOUD + LOUD)
        await until(1.01)
        for _ in range(waiting):
            stage.sink.push(LOUD)  # not in the source yet
        stage.sink.clear()
        assert source.inside == b""
        await until(1.5)
        assert source.inside == QUIET  # else the encoder would keep the last 10 ms

    play(scene)


def test_a_frame_that_comes_into_the_queue_after_the_clear_is_cleared_again(play: Callable[[Scene], None]) -> None:
    async def scene(stage: Stage) -> None:
        source = await stage.publish()
        await until(1.005)
        source.ready.clear()
        stage.sink.push(LOUD)
        await asyncio.sleep(0)
        assert source.asked == 1  # on its way
        stage.sink.clear()
        source.ready.set()
        await until(1.5)
        assert source.inside == fade_out(LOUD) + QUIET

    play(scene)


def test_a_frame_of_a_reply_after_the_clear_is_not_cleared(play: Callable[[Scene], None]) -> None:
    async def scene(stage: Stage) -> None:
        source = await stage.publish()
        await until(1.005)
        stage.sink.clear()
        stage.sink.push(LOUD)
        await until(1.5)
        assert source.inside == LOUD

    play(scene)


def test_what_is_taken_back_is_counted_and_can_be_pushed_again(play: Callable[[Scene], None]) -> None:
    async def scene(stage: Stage) -> None:
        source = await stage.publish()
        await until(1.005)
        for _ in range(5):
            stage.sink.push(LOUD)
        await until(1.015)  # 10 ms of 100 are played
        assert stage.sink.take_back() == 90 * 48
        assert source.inside == b""
        stage.sink.push(SOFT)
        await until(1.5)
        assert source.inside == SOFT
        assert stage.sink.take_back() == 0

    play(scene)


def test_a_frame_that_is_on_its_way_is_taken_back_too(play: Callable[[Scene], None]) -> None:
    async def scene(stage: Stage) -> None:
        source = await stage.publish()
        await until(1.005)
        source.ready.clear()
        stage.sink.push(LOUD + LOUD)
        await asyncio.sleep(0)
        assert source.asked == 1
        assert stage.sink.take_back() == 2 * 960
        stage.sink.push(SOFT + SOFT)
        source.ready.set()
        await until(1.5)
        assert source.inside == SOFT + SOFT

    play(scene)


def test_silence_behind_a_reply_is_not_counted_as_taken_back(play: Callable[[Scene], None]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.publish()
        await until(1.005)
        stage.sink.push(LOUD[: 15 * 96])  # 15 ms: the sink fills up the last tick
        await until(1.0155)
        assert stage.sink.take_back() == 5 * 48
        assert TrackSink().take_back() == 0  # it has no track

    play(scene)


@pytest.mark.parametrize("at_s", [1.015, 1.02])
def test_the_next_rooms_track_begins_with_silence(play: Callable[[Scene], None], at_s: float) -> None:
    async def scene(stage: Stage) -> None:
        await stage.publish()
        await until(1.005)
        for _ in range(5):
            stage.sink.push(LOUD)
        await until(at_s)
        await stage.sink.unbind()
        stage.sink.push(LOUD)  # in between there is no track
        stage.sink.clear()
        source = await stage.publish()
        await until(1.5)
        assert source.inside == b""
        stage.sink.push(LOUD)
        await until(1.6)
        assert source.inside == LOUD

    play(scene)


def test_pieces_that_the_sink_drops_are_logged(play: Callable[[Scene], None]) -> None:
    logged: list[int] = []

    async def scene(stage: Stage) -> None:
        source = await stage.publish()
        source.ready.clear()
        stage.sink.push(bytes(1920 * (MAX_WAITING - 2)))  # cut into pieces of 20 ms, or it would count as one
        for _ in range(7):
            stage.sink.push(bytes(1920))
        assert logged == [1]  # at once; the rest not more than once a second

    sink_id = logger.add(
        lambda m: logged.append(m.record["extra"]["frames"]),
        filter=lambda r: r["extra"].get("event") == "frames_dropped",
    )
    play(scene)
    logger.remove(sink_id)
    assert logged == [1, 4]
