"""The parts of the LiveKit edge that need no server: whom to hear, how long to wait, what a tally tells."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

import pytest
from livekit import rtc

from webapi.voice_node.livekit_caller import Seen, Tally, choose, microphone
from webapi.voice_node.livekit_host import patience_s
from webapi.voice_node.livekit_link import backoff, bounded


def seen(identity: str, joined_ms: int, *, bot: bool = False, audio: bool = True) -> Seen:
    return Seen(identity, joined_ms, bot, audio)


# ---------------------------------------------------------------- whom


def test_the_first_to_join_with_audio_is_the_caller_in_whatever_order_they_are_seen() -> None:
    people = [
        seen("silent observer", 1, audio=False),
        seen("other bot", 2, bot=True),
        seen("alice", 3),
        seen("bob", 4),
    ]
    for order in itertools.permutations(people):
        assert choose(order) == "alice"


def test_a_tie_is_broken_by_name_and_nobody_is_nobody() -> None:
    assert choose([seen("b", 1), seen("a", 1)]) == "a"
    assert choose([seen("bot", 1, bot=True), seen("observer", 2, audio=False)]) is None
    assert choose([]) is None


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
    found = microphone([Publication(*p) for p in published])  # type: ignore[misc]  # what it reads of a publication
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
    tally = Tally(lambda: now[0])
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
