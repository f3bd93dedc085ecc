"""How much longer audio waits in the jitter buffer because the process stood still."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from livekit import rtc
from livekit.rtc._proto.stats_pb2 import RtcStats

from webapi.voice_node.room.jitter_buffer import FORGOTTEN, KEPT, BufferGrowth, BufferLook, look_at

SILENCE, TALK = -20, 20  # ms that wait in peace
HELD_MS = 50  # how long audio is in the buffer in peace
RATE_HZ = 48_000


def look(level_ms: int, jitter_ms: int = 0, at: int = 0) -> BufferLook:
    """One of those at whose time `at` s of audio have come out, each sample after HELD_MS."""
    return BufferLook(level_ms * 1000, jitter_ms * 1000, at * RATE_HZ, at * RATE_HZ * HELD_MS / 1000)


def growth(levels_ms: list[int], jitter_ms: int = 0) -> BufferGrowth:
    """One that has seen these levels in peace."""
    made = BufferGrowth(10_000)
    for at, level_ms in enumerate(levels_ms):
        made.looked(look(level_ms, jitter_ms, at))
    return made


@pytest.mark.parametrize(
    ("in_peace", "after", "stall_ms", "waits_ms"),
    [
        ([TALK] * 10, 20, 300, 0),  # the loop alone stood still
        ([SILENCE] * 8 + [TALK] * 2, 40, 300, 0),  # and a word began: two packets more are chance
        ([TALK] * 10, 280, 310, 250),  # the process: its stall, less what the buffer held, and the time of a frame
        ([SILENCE] * 8 + [TALK] * 2, 280, 310, 250),
        ([TALK] * 10, 160, 310, 180),  # for a part of the time that the loop stood still
        ([TALK] * 10, 800, 310, 250),  # no longer than it stood still
        ([TALK] * 100 + [300] * 5, 280, 310, 250),  # a time of a bad network is not peace
        ([TALK] * KEPT + [100] * KEPT, 330, 310, 250),  # a network that stays bad is
        ([], 280, 310, 0),  # nothing is known
    ],
)
def test_what_a_stall_leaves(in_peace: list[int], after: int, stall_ms: int, waits_ms: int) -> None:
    made = growth(in_peace)
    assert made.stalled(look(after, at=100), stall_ms * 1000) == bool(waits_ms)
    assert made.waited_us == waits_ms * 1000


@pytest.mark.parametrize(
    ("jitter_ms", "after", "waits_ms"),
    [
        (8, 60, 50),  # measured after SIGSTOP for 100 ms: the level says no more than that it may be so
        (8, 20, 40),
        (2, 40, 0),  # after a loop that was blocked it was 2 ms at most
        (8, -20, 0),  # the network's jitter: nothing waits
    ],
)
def test_a_short_stall_of_the_process_shows_in_the_jitter(jitter_ms: int, after: int, waits_ms: int) -> None:
    made = growth([TALK] * 10)
    made.stalled(look(after, jitter_ms, 100), 110_000)
    assert made.waited_us == waits_ms * 1000


def test_a_jitter_that_was_there_before_says_nothing() -> None:
    made = growth([TALK] * 10, jitter_ms=8)
    assert not made.stalled(look(40, 8, 100), 110_000)
    assert made.waited_us == 0


def test_what_is_seen_at_the_second_look_counts() -> None:
    made = growth([TALK] * 10)
    assert not made.stalled(look(-20, at=100), 310_000)  # what has come is still in the socket
    assert made.stalled(look(280, 16, 100), 310_000)
    assert made.waited_us == 250_000


def test_it_shrinks_with_the_buffer_and_does_not_grow_without_a_stall() -> None:
    made = growth([TALK] * 10)
    made.stalled(look(280, 16, 100), 310_000)
    waits = []
    for level_ms in (280, 200, 240, 400, 60, 20, 280):
        made.looked(look(level_ms, at=100))
        waits.append(made.waited_us // 1000)
    assert waits == [250, 220, 220, 220, 80, 0, 0]


def test_a_second_stall_adds_at_most_its_own_length() -> None:
    made = growth([TALK] * 10)
    made.stalled(look(280, 16, 100), 310_000)
    made.stalled(look(440, 24, 100), 110_000)
    assert made.waited_us == 300_000
    made.stalled(look(280, 24, 100), 110_000)
    assert made.waited_us == 300_000  # the level falls while it stands still, and is looked at again


def test_what_waits_for_a_minute_is_peace() -> None:
    made = growth([TALK] * 10)
    made.stalled(look(280, 16, 100), 310_000)
    for _ in range(FORGOTTEN):
        made.looked(look(280, at=100))
    assert made.waited_us == 0


def test_a_look_that_says_nothing_changes_nothing() -> None:
    made = growth([TALK] * 10)
    made.looked(None)
    assert not made.stalled(None, 310_000)
    assert made.waited_us == 0
    made.stalled(look(280, 16, 100), 310_000)
    made.looked(None)
    assert made.waited_us == 250_000


class Track:
    """Gives statistics, or an error, or nothing."""

    def __init__(self, stats: list[RtcStats] | Exception | None) -> None:
        self._stats = stats

    async def get_stats(self) -> list[RtcStats]:
        if self._stats is None:
            await asyncio.Event().wait()
        if isinstance(self._stats, Exception):
            raise self._stats
        return self._stats or []


def seen(stats: list[RtcStats] | Exception | None) -> BufferLook | None:
    return asyncio.run(look_at(cast(rtc.Track, Track(stats))))


def test_the_level_is_what_came_less_what_was_played() -> None:
    inbound, other = RtcStats(), RtcStats()
    inbound.inbound_rtp.received.packets_received = 50
    inbound.inbound_rtp.received.jitter = 0.008
    inbound.inbound_rtp.inbound.jitter_buffer_emitted_count = 45 * 960
    inbound.inbound_rtp.inbound.jitter_buffer_delay = 2160.0
    other.transport.transport.bytes_sent = 1
    assert seen([other, inbound]) == BufferLook(100_000, 8_000, 43_200, 2160.0)
    assert seen([other]) is None


@pytest.mark.parametrize("stats", [AssertionError(), Exception("no such track"), None])
def test_a_track_that_says_nothing_is_not_known(stats: Exception | None) -> None:
    assert seen(stats) is None
