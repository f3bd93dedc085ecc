"""What a session gets of a track: its frames, and its gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from livekit import rtc
from loguru import logger

from webapi.voice_node.clock.replay_loops import this_loop
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.room.jitter_buffer import BufferLook, LookAt
from webapi.voice_node.room.track_reader import NUMBER, TrackReader, frames_of, reads_ms


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
class Recorder:
    """A listener that remembers: a number for so many chunks heard on end, a text for what was said of a gap."""

    story: list[int | str] = field(default_factory=list)
    stamps_ms: list[float] = field(default_factory=list)  # of both

    def hear(self, pcm: bytes, rate: int, echo: bool, t_us: int) -> None:
        self.stamps_ms.append(t_us / 1000)
        assert (rate, echo) == (48_000, True)
        last = self.story[-1] if self.story else ""
        if isinstance(last, int):
            self.story[-1] = last + 1
        else:
            self.story.append(1)

    def lost(self, reason: str, t_us: int) -> None:
        self.stamps_ms.append(t_us / 1000)
        self.story.append(reason)

    async def close(self, reason: str = "closed") -> None:
        """Nothing to close."""


def listen(
    frames: list[tuple[int | None, float]], mutes: list[tuple[float, bool]] | None = None, *, muted: bool = False
) -> tuple[list[int | str], list[int]]:
    """What a listener is told in the 5 (virtual) seconds of a script, muted and unmuted at times; frames dropped."""
    recorder, dropped = record(frames, mutes, muted=muted)
    return recorder.story, dropped


async def no_look() -> None:
    """Of the jitter buffer, nothing is known."""


def record(
    frames: list[tuple[int | None, float]],
    mutes: list[tuple[float, bool]] | None = None,
    *,
    muted: bool = False,
    look: LookAt = no_look,
    frame_ms: int = 10,
) -> tuple[Recorder, list[int]]:
    """The same, with the stamps."""

    async def scenario() -> tuple[Recorder, list[int]]:
        recorder, script = Recorder(), Script(frames)
        dropped: list[int] = []
        sink = logger.add(
            lambda m: dropped.append(m.record["extra"]["frames"]), filter=lambda r: "frames" in r["extra"]
        )
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        reader = TrackReader(
            script,
            recorder,
            frame_ms=frame_ms,
            muted=muted,
            echo=True,
            clock=loop.clock_us,
            look=look,
            log=logger,
        )
        for at_s, mute in mutes or []:
            loop.call_later(at_s, reader.set_muted, mute)
        await asyncio.sleep(5)
        await reader.close()
        logger.remove(sink)
        assert script.closed.is_set()
        assert len(asyncio.all_tasks()) == 1
        return recorder, dropped

    return run_virtual(scenario())


STEADY: list[tuple[int | None, float]] = [(n, 0.01) for n in range(100)]  # one second


def test_a_frame_that_is_read_late_has_the_time_at_which_it_arrived() -> None:
    late: list[tuple[int | None, float]] = [(100, 0.31), *((n, 0.0) for n in range(101, 131)), (131, 0.01)]
    recorder, _ = record(STEADY + late)
    assert recorder.stamps_ms == [*range(10, 1330, 10), pytest.approx(1820, abs=100)]  # and a gap when that was noticed


def test_what_a_muted_track_gives_still_shows_when_frames_arrive() -> None:
    late: list[tuple[int | None, float]] = [(100, 0.31), *((n, 0.0) for n in range(101, 131)), (131, 0.01)]
    recorder, _ = record(STEADY + late, [(1.305, False)], muted=True)
    assert recorder.stamps_ms[:-1] == [*range(1010, 1330, 10)]


def test_what_waited_in_the_jitter_buffer_while_the_process_stood_still_arrived_before_it_came_out() -> None:
    after: list[tuple[int | None, float]] = [(n, 0.01) for n in range(131, 251)]
    late: list[tuple[int | None, float]] = [(100, 0.31), *((n, 0.0) for n in range(101, 131)), *after]

    async def look() -> BufferLook:
        """A packet waits in peace; from the stall on, which is over after 1.31 s, 240 ms more, for half a second.

        Just after the stall it is still in the socket.
        """
        at_s = asyncio.get_running_loop().time()
        emitted = round(min(at_s, 1.31) * 48_000)
        return BufferLook(270_000 if 1.313 <= at_s < 1.8 else 20_000, 0, emitted, emitted * 0.06)

    recorder, _ = record(STEADY + late, look=look)
    before, held, rest = recorder.stamps_ms[:100], recorder.stamps_ms[100:131], recorder.stamps_ms[131:251]
    assert before == [*range(10, 1010, 10)]
    ran_again, waited = 1310 + 5, 240
    assert held == [*range(1010, ran_again - waited, 10)] + [ran_again - waited] * 24  # then the buffer ran dry
    assert rest[:40] == [*range(1085, 1485, 10)]
    assert rest[-60:] == [*range(1925, 2525, 10)]  # the buffer has shrunk
    assert recorder.stamps_ms == sorted(recorder.stamps_ms)


def test_frames_that_were_dropped_do_not_count_as_no_time() -> None:
    late: list[tuple[int | None, float]] = [(150, 0.81), *((n, 0.0) for n in range(151, 180)), (180, 0.01)]
    recorder, _ = record(STEADY + late)
    gap, *after = recorder.stamps_ms[100:132]
    assert recorder.story[:2] == [100, "no audio for 500 ms"]
    assert gap == pytest.approx(1500, abs=100)
    assert after[:-1] == [1810.0] * 30  # the loop ran: it was the stream that paused


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
    class Fussy(Recorder):
        def hear(self, pcm: bytes, rate: int, echo: bool, t_us: int) -> None:
            super().hear(pcm, rate, echo, t_us)
            if self.story == [1]:
                raise ValueError("not this one")

    async def scenario() -> list[int | str]:
        recorder = Fussy()
        reader = TrackReader(
            Script(STEADY), recorder, frame_ms=10, muted=False, echo=True, clock=lambda: 0, look=no_look, log=logger
        )
        await asyncio.sleep(1.2)
        await reader.close()
        return recorder.story

    assert run_virtual(scenario()) == [100]


@pytest.mark.parametrize(("window_ms", "expected"), [(20, 20), (10, 10), (30, 10)])
def test_no_analysis_frame_waits_for_a_read_that_it_needs_no_more_of(window_ms: int, expected: int) -> None:
    assert reads_ms(window_ms) == expected


def test_frames_of_20_ms_that_are_read_late_have_the_time_at_which_they_arrived() -> None:
    late: list[tuple[int | None, float]] = [(50, 0.32), *((n, 0.0) for n in range(51, 66)), (66, 0.035), (67, 0.005)]
    recorder, _ = record([(n, 0.02) for n in range(50)] + late, frame_ms=20)
    stamps = recorder.stamps_ms[:68]
    assert stamps[:66] == [*range(20, 1340, 20)]
    assert stamps[66:] == [1340, 1360]  # 15 ms after it was due is late, too


def test_frames_of_20_ms_wait_500_ms_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(rtc, "AudioStream", lambda _, **given: asked.update(given))

    async def ask() -> None:
        frames_of(cast(rtc.Track, None), 20)

    asyncio.run(ask())
    assert (asked["frame_size_ms"], asked["capacity"]) == (20, 25)


def test_other_calls_come_between_the_frames_of_a_backlog() -> None:
    late: list[tuple[int | None, float]] = [(100, 0.31), *((n, 0.0) for n in range(101, 131))]

    class Ready:
        """All frames of a script without a wait of the loop between those that are due at once, as the SDK's queue."""

        closed = asyncio.Event()

        async def __aiter__(self) -> AsyncIterator[rtc.AudioFrameEvent]:
            for number, pause_s in STEADY + late:
                if pause_s:
                    await asyncio.sleep(pause_s)
                yield rtc.AudioFrameEvent(rtc.AudioFrame(bytes(960), 48_000, 1, 480, userdata={NUMBER: number}))
            await self.closed.wait()

        async def aclose(self) -> None:
            self.closed.set()

    class Counting(Recorder):
        waiting = most = 0  # of the other calls' work that a frame makes due: how much waits for this reader

        def hear(self, pcm: bytes, rate: int, echo: bool, t_us: int) -> None:
            super().hear(pcm, rate, echo, t_us)
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            asyncio.get_running_loop().call_soon(self.do_other_work)

        def do_other_work(self) -> None:
            self.waiting -= 1

    async def scenario() -> tuple[int, list[int | str]]:
        recorder = Counting()
        reader = TrackReader(
            Ready(), recorder, frame_ms=10, muted=False, echo=True, clock=this_loop().clock_us, look=no_look, log=logger
        )
        await asyncio.sleep(1.4)
        await reader.close()
        return recorder.most, recorder.story

    assert run_virtual(scenario()) == (1, [131])
