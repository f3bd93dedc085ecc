"""How much longer audio waits in the jitter buffer because the process stood still."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from livekit import rtc
from livekit.rtc._proto.stats_pb2 import RtcStats

from webapi.voice_node.room.jitter_buffer import FORGOTTEN, KEPT, BufferGrowth, buffer_level_us

SILENCE, TALK = -20, 20  # ms that wait in peace


def growth(levels_ms: list[int]) -> BufferGrowth:
    """One that has seen these levels in peace."""
    made = BufferGrowth()
    for level_ms in levels_ms:
        made.looked(level_ms * 1000)
    return made


@pytest.mark.parametrize(
    ("in_peace", "after", "stall_ms", "waits_ms"),
    [
        ([TALK] * 10, 20, 300, 0),  # the loop alone stood still
        ([SILENCE] * 8 + [TALK] * 2, 40, 300, 0),  # and a word began: a packet more is chance
        ([TALK] * 10, 280, 300, 250),  # the process
        ([SILENCE] * 8 + [TALK] * 2, 280, 300, 250),
        ([TALK] * 10, 500, 300, 300),  # no longer than it stood still
        ([TALK] * 100 + [300] * 5, 280, 300, 250),  # a time of a bad network is not peace
        ([TALK] * KEPT + [100] * KEPT, 360, 300, 250),  # a network that stays bad is
        ([], 280, 300, 0),  # nothing is known
    ],
)
def test_what_a_stall_leaves(in_peace: list[int], after: int, stall_ms: int, waits_ms: int) -> None:
    made = growth(in_peace)
    made.stalled(after * 1000, stall_ms * 1000)
    assert made.waited_us == waits_ms * 1000


def test_it_shrinks_with_the_buffer_and_does_not_grow_without_a_stall() -> None:
    made = growth([TALK] * 10)
    made.stalled(280_000, 300_000)
    waits = []
    for level_ms in (280, 200, 240, 400, 60, 40, 280):
        made.looked(level_ms * 1000)
        waits.append(made.waited_us // 1000)
    assert waits == [250, 170, 170, 170, 30, 0, 0]


def test_a_second_stall_adds_at_most_its_own_length() -> None:
    made = growth([TALK] * 10)
    made.stalled(280_000, 300_000)
    made.stalled(440_000, 100_000)
    assert made.waited_us == 350_000
    made.stalled(300_000, 100_000)
    assert made.waited_us == 350_000  # the level falls while it stands still, and is looked at again


def test_what_waits_for_a_minute_is_peace() -> None:
    made = growth([TALK] * 10)
    made.stalled(280_000, 300_000)
    for _ in range(FORGOTTEN):
        made.looked(280_000)
    assert made.waited_us == 0


def test_a_level_that_is_not_known_changes_nothing() -> None:
    made = growth([TALK] * 10)
    made.looked(None)
    made.stalled(None, 300_000)
    assert made.waited_us == 0
    made.stalled(280_000, 300_000)
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


def level(stats: list[RtcStats] | Exception | None) -> int | None:
    return asyncio.run(buffer_level_us(cast(rtc.Track, Track(stats))))


def test_the_level_is_what_came_less_what_was_played() -> None:
    inbound, other = RtcStats(), RtcStats()
    inbound.inbound_rtp.received.packets_received = 50
    inbound.inbound_rtp.inbound.jitter_buffer_emitted_count = 45 * 960
    other.transport.transport.bytes_sent = 1
    assert level([other, inbound]) == 100_000
    assert level([other]) is None


@pytest.mark.parametrize("stats", [AssertionError(), Exception("no such track"), None])
def test_a_track_that_says_nothing_has_no_level(stats: Exception | None) -> None:
    assert level(stats) is None
