"""The speaker where a reply becomes soft and loud again: to the sample, and what is counted stays right."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.playback.test_speaker import A, B, heard, now_us, run
from tests.stage import Ear
from webapi.voice_node.events import (
    DuckReply,
    FillerAudio,
    HaltReply,
    Playback,
    PlaybackDucked,
    PlaybackEnded,
    PlaybackRestored,
    PlaybackStarted,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    RestoreReply,
    Turn,
)
from webapi.voice_node.playback.speaker import Speaker
from webapi.voice_node.playback.volume import DOWN_MS, DUCKED, FULL, UP_MS

LOUD = np.full(960, 10_000, "<i2").tobytes()  # 20 ms
DOWN = [FULL + (DUCKED - FULL) * k // (DOWN_MS * 48) for k in range(DOWN_MS * 48)]
UP = [DUCKED + (FULL - DUCKED) * k // (UP_MS * 48) for k in range(UP_MS * 48)]


def audio(turn: Turn = A) -> ReplyAudio:
    """20 ms of that turn's reply."""
    return ReplyAudio(now_us(), turn, LOUD, 48_000)


def begin(speaker: Speaker, pieces: int, turn: Turn = A) -> None:
    """So much of a reply, all of it made."""
    speaker.on_next(ReplyStarted(now_us(), turn))
    for _ in range(pieces):
        speaker.on_next(audio(turn))


def duck(speaker: Speaker, turn: Turn = A) -> None:
    speaker.on_next(DuckReply(now_us(), turn, now_us() - 60_000))


def restore(speaker: Speaker, turn: Turn = A) -> None:
    speaker.on_next(RestoreReply(now_us(), turn))


def at(volumes: list[int]) -> NDArray[np.int64]:
    """A constant 10,000 at these volumes."""
    return (10_000 * np.array(volumes, np.int64) + (1 << 14)) >> 15


@pytest.mark.parametrize("ms", [7, 105, 280])
def test_it_falls_from_the_next_sample_on_and_ends_when_it_would_have(ms: int) -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        begin(speaker, 15)
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))
        await asyncio.sleep(ms / 1000)
        left = ear.queued_ms()
        duck(speaker)
        assert ear.queued_ms() == left
        assert not ear.clears

    said, ear = run(script)
    assert said == [
        PlaybackStarted(0, A),
        PlaybackDucked(ms * 1000, A, ms, ms * 48, ms * 1000 - 60_000),
        PlaybackEnded(300_000, A, 300, completed=True),
    ]
    expected = at([FULL] * ms * 48 + DOWN + [DUCKED] * 14400)[:14400]
    assert heard(ear).tolist() == expected.tolist()


def test_it_is_loud_again_and_what_comes_meanwhile_is_soft_too() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        begin(speaker, 10)
        await asyncio.sleep(0.1)
        duck(speaker)
        await asyncio.sleep(0.05)
        for _i in range(10):
            speaker.on_next(audio())
        await asyncio.sleep(0.15)
        restore(speaker)
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))

    said, ear = run(script)
    assert said == [
        PlaybackStarted(0, A),
        PlaybackDucked(100_000, A, 100, 4800, 40_000),
        PlaybackRestored(300_000, A, 300, 14_400),
        PlaybackEnded(400_000, A, 400, completed=True),
    ]
    soft = [FULL] * 4800 + DOWN + [DUCKED] * (9600 - len(DOWN))
    expected = at([*soft, *UP, *[FULL] * 4800])[:19200]
    assert heard(ear).tolist() == expected.tolist()


def test_two_in_a_row_are_heard_once_each() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        begin(speaker, 30)
        for _i in range(2):
            await asyncio.sleep(0.1)
            duck(speaker)
            duck(speaker)  # it is soft already
            await asyncio.sleep(0.1)
            restore(speaker)
            restore(speaker)
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))

    said, ear = run(script)
    names = [event.name for event in said]
    assert names == ["playback_started", *["playback_ducked", "playback_restored"] * 2, "playback_ended"]
    assert said[-1] == PlaybackEnded(600_000, A, 600, completed=True)
    assert len(heard(ear)) == 28_800


def test_a_restore_in_the_fall_rises_from_there() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        begin(speaker, 15)
        await asyncio.sleep(0.1)
        duck(speaker)
        await asyncio.sleep(0.005)
        restore(speaker)

    _, ear = run(script)
    assert np.abs(np.diff(heard(ear).astype(int))).max() <= 20
    assert heard(ear)[-1] == 10_000


def test_a_cut_of_a_soft_reply_counts_what_was_heard() -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        begin(speaker, 15)
        await asyncio.sleep(0.05)
        duck(speaker)
        await asyncio.sleep(0.057)
        speaker.on_next(ReplyCut(now_us(), A, "barged_in"))
        restore(speaker)
        assert ear.queued_ms() == 0
        begin(speaker, 5, B)

    said, ear = run(script)
    assert said[1:3] == [
        PlaybackDucked(50_000, A, 50, 2400, -10_000),
        PlaybackEnded(107_000, A, 107, False, 193),
    ]
    assert ear.clears == [107_000]
    assert (heard(ear)[-4800:] == 10_000).all()  # the next reply is loud


def test_a_soft_filler_leaves_the_reply_behind_it_soft() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for _i in range(5):
            speaker.on_next(FillerAudio(now_us(), A, LOUD, 48_000))
        await asyncio.sleep(0.05)
        duck(speaker)
        for _i in range(5):
            speaker.on_next(audio())
        await asyncio.sleep(0.1)
        restore(speaker)
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))

    said, ear = run(script)
    told = [event for event in said if isinstance(event, (PlaybackDucked, PlaybackRestored))]
    assert [(event.heard_ms, event.sample) for event in told] == [(0, 0), (50, 2400)]
    assert said[-1] == PlaybackEnded(200_000, A, 100, completed=True)
    assert heard(ear)[2400 + DOWN_MS * 48 : 7200].tolist() == [1778] * (4800 - DOWN_MS * 48)


def test_what_does_not_play_has_no_volume() -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        duck(speaker)
        speaker.on_next(ReplyStarted(now_us(), A))
        duck(speaker)  # not heard yet
        restore(speaker)
        speaker.on_next(audio())
        duck(speaker, B)
        speaker.on_next(HaltReply(now_us(), A))
        duck(speaker)  # silent
        speaker.on_next(ReplyCut(now_us(), A, "barged_in"))

    said, _ = run(script)
    changes: list[Playback] = [each for each in said if isinstance(each, (PlaybackDucked, PlaybackRestored))]
    assert changes == []


def test_a_reply_that_comes_slowly_is_soft_where_its_next_piece_is_late() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        begin(speaker, 1)
        await asyncio.sleep(0.5)
        duck(speaker)  # nothing is queued
        speaker.on_next(audio())
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))

    said, ear = run(script)
    assert said[1:] == [
        PlaybackDucked(500_000, A, 20, 960, 440_000),
        PlaybackEnded(520_000, A, 40, completed=True),
    ]
    assert heard(ear)[960:].tolist() == at([*DOWN, *[DUCKED] * 480]).tolist()
