"""The parts of the LiveKit edge that need no server: whom to hear, how long to wait, what a tally tells."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest
from livekit import rtc
from loguru import logger

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.room import track_sink as livekit_sink
from webapi.voice_node.room.connection import backoff, bounded
from webapi.voice_node.room.drop_counter import DropCounter
from webapi.voice_node.room.host import patience_s
from webapi.voice_node.room.participants import ParticipantInfo, choose_caller, choose_microphone
from webapi.voice_node.room.track_queue import Ticks
from webapi.voice_node.room.track_reader import NUMBER, TrackReader
from webapi.voice_node.room.track_sink import MAX_WAITING, LiveKitSink


def seen(identity: str, joined_ms: int, *, bot: bool = False, audio: bool = True) -> ParticipantInfo:
    return ParticipantInfo(identity, joined_ms, bot, audio)


# ---------------------------------------------------------------- whom


def test_the_first_to_join_with_audio_is_the_caller_in_whatever_order_they_are_seen() -> None:
    people = [
        seen("silent observer", 1, audio=False),
        seen("other bot", 2, bot=True),
        seen("alice", 3),
        seen("bob", 4),
    ]
    for order in itertools.permutations(people):
        assert choose_caller(order) == "alice"


def test_a_tie_is_broken_by_name_and_nobody_is_nobody() -> None:
    assert choose_caller([seen("b", 1), seen("a", 1)]) == "a"
    assert choose_caller([seen("bot", 1, bot=True), seen("observer", 2, audio=False)]) is None
    assert choose_caller([]) is None


@dataclass
class Publication:
    sid: str
    kind: int
    source: int


AUDIO, VIDEO = rtc.TrackKind.KIND_AUDIO, rtc.TrackKind.KIND_VIDEO
CAMERA, MICROPHONE = rtc.TrackSource.SOURCE_CAMERA, rtc.TrackSource.SOURCE_MICROPHONE
SCREEN, UNKNOWN = rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO, rtc.TrackSource.SOURCE_UNKNOWN


@pytest.mark.parametrize(
    ("published", "heard"),
    [
        ([("v", VIDEO, CAMERA), ("s", AUDIO, SCREEN), ("u", AUDIO, UNKNOWN), ("m", AUDIO, MICROPHONE)], "m"),
        ([("s", AUDIO, SCREEN), ("u", AUDIO, UNKNOWN)], "u"),
        ([("m1", AUDIO, MICROPHONE), ("m2", AUDIO, MICROPHONE)], "m1"),
        ([("s", AUDIO, SCREEN), ("v", VIDEO, CAMERA)], None),
        ([], None),
    ],
)
def test_a_microphone_is_preferred_and_a_shared_screen_is_not_heard(
    published: list[tuple[str, int, int]], heard: str | None
) -> None:
    found = choose_microphone([Publication(*p) for p in published])  # type: ignore[misc]  # what it reads of a publication
    assert (found.sid if found else None) == heard


# ---------------------------------------------------------------- how long


def test_a_caller_who_was_seen_to_leave_is_not_waited_for() -> None:
    assert patience_s(said_why=True, up=True, grace_s=30) == 0
    assert patience_s(said_why=True, up=False, grace_s=30) == 0


def test_a_caller_who_vanished_with_the_connection_is_waited_for_longest() -> None:
    assert 0 < patience_s(said_why=False, up=True, grace_s=30) < patience_s(said_why=False, up=False, grace_s=30) == 30


def test_pauses_double_up_to_ten_seconds_and_keep_nodes_from_coming_back_all_at_once() -> None:
    ceilings = [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert list(itertools.islice(backoff(max), 8)) == ceilings
    assert list(itertools.islice(backoff(min), 8)) == [c / 2 for c in ceilings]


# ---------------------------------------------------------------- tally


def test_a_tally_tells_at_most_once_a_second_and_forgets_nothing() -> None:
    now = [100.0]
    tally = DropCounter(lambda: now[0])
    assert tally.add(0) == 0
    assert tally.add(3) == 3
    told = 3
    for _ in range(99):
        now[0] += 0.01
        told += tally.add(1)
    assert told == 3
    now[0] += 0.02
    assert tally.add(0) == 99
    assert tally.rest() == 0
    tally.add(2)
    assert tally.rest() == 2


def test_what_the_sink_drops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[int]:
        sink, told = LiveKitSink(), list[int]()
        room, hung = SimpleNamespace(local_participant=SimpleNamespace()), asyncio.Event()

        async def publish_track(*_: object) -> object:
            return SimpleNamespace(sid="TR")

        class Source:
            async def capture_frame(self, _: object) -> None:
                await hung.wait()

            async def aclose(self) -> None:
                pass

            def clear_queue(self) -> None:
                pass

        async def learnt(_: object) -> Ticks:
            return Ticks([float(n) / 100 for n in range(10)])

        room.local_participant.publish_track = publish_track
        monkeypatch.setattr(livekit_sink, "learn_ticks", learnt)
        monkeypatch.setattr(rtc, "AudioSource", lambda *_, **__: Source())
        monkeypatch.setattr(rtc.LocalAudioTrack, "create_audio_track", lambda *_: None)
        sink_id = logger.add(
            lambda m: told.append(m.record["extra"]["frames"]),
            filter=lambda r: r["extra"].get("event") == "frames_dropped",
        )
        await sink.publish(cast(rtc.Room, room), "bot_out")
        sink.push(bytes(1920 * (MAX_WAITING - 2)))  # cut into pieces of 20 ms, or it would count as one
        for _ in range(7):
            sink.push(bytes(1920))
        assert told == [1]  # at once; the rest not more than once a second
        await sink.unbind()
        logger.remove(sink_id)
        return told

    assert asyncio.run(scenario()) == [1, 4]


# ---------------------------------------------------------------- hearing


class Script:
    """Frames as a list of (number or None, pause before it in seconds); then nothing, until it is closed."""

    def __init__(self, frames: list[tuple[int | None, float]]) -> None:
        self._frames = frames
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[rtc.AudioFrameEvent]:
        for number, pause_s in self._frames:
            await asyncio.sleep(pause_s)
            userdata = {} if number is None else {NUMBER: number}
            yield rtc.AudioFrameEvent(rtc.AudioFrame(bytes(960), 48_000, 1, 480, userdata=userdata))
        await self.closed.wait()

    async def aclose(self) -> None:
        self.closed.set()


@dataclass
class Ears:
    """A listener that remembers: a number for so many chunks heard on end, a text for what was said of a gap."""

    story: list[int | str] = field(default_factory=list)

    def hear(self, pcm: bytes, rate: int, echo: bool) -> None:
        assert (len(pcm), rate, echo) == (960, 48_000, True)
        last = self.story[-1] if self.story else ""
        if isinstance(last, int):
            self.story[-1] = last + 1
        else:
            self.story.append(1)

    def lost(self, reason: str) -> None:
        self.story.append(reason)

    async def close(self) -> None:
        """Nothing to close."""


def listen(
    frames: list[tuple[int | None, float]], mutes: list[tuple[float, bool]] | None = None, *, muted: bool = False
) -> tuple[list[int | str], list[int]]:
    """What a listener is told in the 5 (virtual) seconds of a script, muted and unmuted at times; frames dropped."""

    async def scenario() -> tuple[list[int | str], list[int]]:
        ears, script = Ears(), Script(frames)
        dropped: list[int] = []
        sink = logger.add(
            lambda m: dropped.append(m.record["extra"]["frames"]), filter=lambda r: "frames" in r["extra"]
        )
        hearing = TrackReader(script, ears, muted=muted, echo=True, log=logger)
        loop = asyncio.get_running_loop()
        for at_s, mute in mutes or []:
            loop.call_later(at_s, hearing.mute, mute)
        await asyncio.sleep(5)
        await hearing.close()
        logger.remove(sink)
        assert script.closed.is_set()
        assert len(asyncio.all_tasks()) == 1
        return ears.story, dropped

    return run_virtual(scenario())


STEADY: list[tuple[int | None, float]] = [(n, 0.01) for n in range(100)]  # one second


def test_audio_that_stops_is_told_once() -> None:
    assert listen(STEADY) == ([100, "no audio for 500 ms"], [])


def test_audio_that_stops_twice_is_told_twice_and_a_short_pause_not_at_all() -> None:
    pauses: list[tuple[int | None, float]] = [(100, 0.4), (101, 0.01), (102, 1.0), (103, 0.01)]
    assert listen(STEADY + pauses)[0] == [102, "no audio for 500 ms", 2, "no audio for 500 ms"]


def test_nothing_was_lost_where_nothing_was_heard() -> None:
    assert listen([]) == ([], [])
    assert listen(STEADY, muted=True) == ([], [])


def test_what_a_muted_track_still_gives_is_not_heard() -> None:
    assert listen(STEADY, [(0.305, True), (0.605, False)])[0] == [30, "muted", 40, "no audio for 500 ms"]


def test_muting_twice_is_told_once() -> None:
    assert listen(STEADY, [(0.305, True), (0.405, True)])[0] == [30, "muted"]


def test_frames_that_are_missing_are_counted() -> None:
    assert listen([(0, 0.01), (1, 0.01), (31, 0.01), (32, 0.01)])[1] == [29]
    assert listen([(7, 0.01)])[1] == [7]  # the first ones can be lost too
    assert listen([(None, 0.01), (None, 0.01)])[1] == []  # an SDK that does not number them: nothing is known


def test_a_listener_that_raises_loses_that_frame_alone() -> None:
    class Fussy(Ears):
        def hear(self, pcm: bytes, rate: int, echo: bool) -> None:
            super().hear(pcm, rate, echo)
            if self.story == [1]:
                raise ValueError("not this one")

    async def scenario() -> list[int | str]:
        ears = Fussy()
        hearing = TrackReader(Script(STEADY), ears, muted=False, echo=True, log=logger)
        await asyncio.sleep(1.2)
        await hearing.close()
        return ears.story

    assert run_virtual(scenario()) == [100]


# ---------------------------------------------------------------- bounded


def test_what_hangs_is_cancelled_and_left_and_errors_stay_inside() -> None:
    cancelled = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    async def fail() -> None:
        raise RuntimeError("inside")

    async def scenario() -> None:
        await bounded(hang(), 0.01, "something that hangs")
        await bounded(fail(), 1.0, "something that fails")
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
    assert cancelled == [True]


def test_a_bounded_wait_that_is_cancelled_takes_its_work_with_it() -> None:
    async def scenario() -> None:
        waiting = asyncio.create_task(bounded(asyncio.Event().wait(), 60, "a long wait"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())
