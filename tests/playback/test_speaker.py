"""The speaker: what is pushed, what was played, and what a cut leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from reactivex import Subject

from tests.stage import Ear
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop, run_virtual
from webapi.voice_node.config import load_settings
from webapi.voice_node.context import Context
from webapi.voice_node.events import (
    FramesDropped,
    HaltReply,
    Playback,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    ReplyAudio,
    ReplyCut,
    ReplyEnded,
    ReplyStarted,
    ResumeReply,
    Turn,
)
from webapi.voice_node.playback.speaker import Speaker
from webapi.voice_node.replay.recorded_replies import RecordedReplies

A, B = Turn("a", 0), Turn("b", 1)
PIECE = b"\x10\x27" * 960  # 20 ms at 48 kHz
Script = Callable[[Speaker, Ear], Awaitable[None]]


def run(script: Script, tape: RecordedReplies | None = None) -> tuple[list[Playback], Ear]:
    """Run a script against a speaker in virtual time; what the playback port said, and what was heard."""

    async def main() -> tuple[list[Playback], Ear]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        ear, said = Ear(loop), list[Playback]()
        playback: Subject[Playback] = Subject()
        playback.subscribe(said.append, on_error=lambda error: pytest.fail(str(error)))
        context = Context("s", "demo", load_settings(), loop, loop.clock_us, script=tape)
        await script(Speaker(ear, playback, context), ear)
        await asyncio.sleep(10)
        return said, ear

    return run_virtual(main())


def now_us() -> int:
    """The virtual time, as the graph stamps values with it."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop.now_us


def audio(turn: Turn) -> ReplyAudio:
    """20 ms of that turn's reply."""
    return ReplyAudio(now_us(), turn, PIECE, 48_000)


def test_playing_is_from_the_first_frame_to_the_last_one_played_out() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        await asyncio.sleep(1)
        speaker.on_next(ReplyStarted(now_us(), A))
        for _i in range(10):
            speaker.on_next(audio(A))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))

    said, _ = run(script)
    assert said == [PlaybackStarted(1_000_000, A), PlaybackEnded(1_200_000, A, 200, True)]


def test_a_pause_of_the_orchestrator_is_still_playing_and_is_not_counted_as_heard() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        speaker.on_next(audio(A))
        await asyncio.sleep(1)
        speaker.on_next(audio(A))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))

    said, _ = run(script)
    assert said == [PlaybackStarted(0, A), PlaybackEnded(1_020_000, A, 40, True)]


def test_a_cut_counts_what_was_heard_and_clears_the_rest() -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for _ in range(15):
            speaker.on_next(audio(A))
        await asyncio.sleep(0.107)
        speaker.on_next(ReplyCut(now_us(), A, "barged_in"))
        assert ear.queued_ms() == 0

    said, ear = run(script)
    assert said == [PlaybackStarted(0, A), PlaybackEnded(107_000, A, 107, False, 193)]
    assert ear.clears == [107_000]


def test_a_reply_that_is_cut_behind_the_fade_of_the_last_one_was_not_heard() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for _i in range(5):
            speaker.on_next(audio(A))
        await asyncio.sleep(0.05)
        speaker.on_next(ReplyCut(now_us(), A, "barged_in"))
        speaker.on_next(ReplyStarted(now_us(), B))
        speaker.on_next(audio(B))
        speaker.on_next(ReplyCut(now_us(), B, "barged_in"))

    said, _ = run(script)
    assert [e.heard_ms for e in said if isinstance(e, PlaybackEnded)] == [50, 0]


def test_what_comes_after_the_cut_is_dropped_and_counted() -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        speaker.on_next(audio(A))
        speaker.on_next(ReplyCut(now_us(), A, "barged_in"))
        pushes = len(ear.pushes)
        speaker.on_next(audio(A))
        speaker.on_next(audio(A))
        assert len(ear.pushes) == pushes
        speaker.on_next(ReplyStarted(now_us(), B))
        speaker.on_next(audio(B))
        speaker.on_next(ReplyEnded(now_us(), B, "completed"))

    said, _ = run(script)
    assert [type(e).__name__ for e in said] == [
        "PlaybackStarted",
        "PlaybackEnded",
        "FramesDropped",
        "PlaybackStarted",
        "PlaybackEnded",
    ]
    assert isinstance(said[2], FramesDropped)
    assert (said[2].turn, said[2].frames) == (A, 2)


def test_what_comes_behind_the_end_of_the_stream_is_dropped_while_the_rest_still_plays() -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for _i in range(10):
            speaker.on_next(audio(A))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))
        await asyncio.sleep(0.1)
        speaker.on_next(audio(A))
        assert len(ear.pushes) == 10
        await asyncio.sleep(1)
        speaker.close()

    said, _ = run(script)
    assert said == [
        PlaybackStarted(0, A),
        PlaybackEnded(200_000, A, 200, True),
        FramesDropped(1_100_000, A, 1, "their reply was already over"),
    ]


def test_what_was_dropped_is_told_at_the_end_too() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        speaker.on_next(ReplyCut(now_us(), A, "barged_in"))
        speaker.on_next(audio(A))
        speaker.close()
        speaker.close()

    said, _ = run(script)
    assert [e for e in said if isinstance(e, FramesDropped)] == [FramesDropped(0, A, 1, "their reply was already over")]


@pytest.mark.parametrize("outcome", ["failed", "timeout", "empty"])
def test_a_reply_without_audio_is_over_when_its_stream_is(outcome: str) -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        speaker.on_next(ReplyEnded(now_us(), A, outcome))  # type: ignore[arg-type]  # the three are outcomes

    said, _ = run(script)
    assert said == [PlaybackEnded(0, A, 0, False)]


def test_a_cut_before_anything_was_played_clears_nothing() -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        speaker.on_next(ReplyCut(now_us(), A, "superseded"))
        speaker.on_next(ReplyCut(now_us(), B, "superseded"))  # this one had not even begun

    said, ear = run(script)
    assert said == [PlaybackEnded(0, A, 0, False), PlaybackEnded(0, B, 0, False)]
    assert ear.clears == []


def test_the_old_end_timer_does_not_end_the_next_reply() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for _i in range(10):
            speaker.on_next(audio(A))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))
        await asyncio.sleep(0.1)
        speaker.on_next(ReplyCut(now_us(), A, "barged_in"))
        speaker.on_next(ReplyStarted(now_us(), B))
        for _i in range(20):
            speaker.on_next(audio(B))
        speaker.on_next(ReplyEnded(now_us(), B, "completed"))

    said, _ = run(script)
    assert [e.t_us for e in said] == [0, 100_000, 100_000, 510_000]
    assert said[-1] == PlaybackEnded(510_000, B, 400, True)


# ---------------------------------------------------------------- halts


def ramp(turn: Turn, number: int) -> ReplyAudio:
    """Piece `number` of a reply whose every sample is another one."""
    return ReplyAudio(now_us(), turn, np.arange(number * 960, number * 960 + 960, dtype="<i2").tobytes(), 48_000)


def heard(ear: Ear) -> NDArray[np.int16]:
    """All that was played."""
    return np.frombuffer(b"".join(pcm for _, pcm in ear.pushes), "<i2")


@pytest.mark.parametrize("ms", [0.02, 7, 105.03, 299.99])
def test_a_reply_that_halts_goes_on_with_the_next_sample(ms: float) -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for i in range(15):
            speaker.on_next(ramp(A, i))
        await asyncio.sleep(ms / 1000)
        speaker.on_next(HaltReply(now_us(), A))
        assert ear.queued_ms() == 0
        await asyncio.sleep(0.5)
        speaker.on_next(ResumeReply(now_us(), A))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))

    said, ear = run(script)
    halted_us = round(ms * 1000)
    assert said == [
        PlaybackStarted(0, A),
        PlaybackPaused(halted_us, A, int(ms)),
        PlaybackResumed(halted_us + 500_000, A),
        PlaybackEnded(said[-1].t_us, A, 300, True),
    ]
    assert 800_000 <= said[-1].t_us <= 800_000 + 21  # half a second later than without; a sample may be heard twice
    samples, at = heard(ear), int(ms * 48)
    expected = np.arange(15 * 960)
    assert (samples[:at] == expected[:at]).all()
    rest = samples[-(len(expected) - at) :]
    assert (rest[480:] == expected[at + 480 :]).all()
    rises = rest[:480] / np.maximum(1, expected[at : at + 480])[: len(rest[:480])]
    assert (np.diff(rises) > -0.01).all()  # without a click


def test_what_comes_while_it_halts_waits_and_keeps_its_order() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        speaker.on_next(ramp(A, 0))
        await asyncio.sleep(0.01)
        speaker.on_next(HaltReply(now_us(), A))
        speaker.on_next(ramp(A, 1))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))
        await asyncio.sleep(1)
        speaker.on_next(ResumeReply(now_us(), A))

    said, ear = run(script)
    assert said[-1] == PlaybackEnded(1_040_000, A, 40, True)
    assert (heard(ear)[960:] == np.arange(960, 1920)).all()


def test_a_cut_while_it_halts_counts_what_was_heard_before() -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for i in range(15):
            speaker.on_next(ramp(A, i))
        await asyncio.sleep(0.107)
        speaker.on_next(HaltReply(now_us(), A))
        await asyncio.sleep(0.002)  # the fade is still heard
        speaker.on_next(ReplyCut(now_us(), A, "barged_in"))
        speaker.on_next(ResumeReply(now_us(), A))
        assert ear.queued_ms() == 0

    said, ear = run(script)
    assert said == [
        PlaybackStarted(0, A),
        PlaybackPaused(107_000, A, 107),
        PlaybackEnded(109_000, A, 107, False, 193),
    ]
    assert ear.clears == [107_000]


def test_one_that_halts_twice_is_heard_once() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for i in range(15):
            speaker.on_next(ramp(A, i))
        for _i in range(2):
            await asyncio.sleep(0.1)
            speaker.on_next(HaltReply(now_us(), A))
            await asyncio.sleep(0.1)
            speaker.on_next(ResumeReply(now_us(), A))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))

    said, ear = run(script)
    assert said[-1] == PlaybackEnded(500_000, A, 300, True)
    assert len(heard(ear)) == 15 * 960


def test_a_halt_of_what_does_not_play_is_none() -> None:
    async def script(speaker: Speaker, ear: Ear) -> None:
        speaker.on_next(ResumeReply(now_us(), A))
        speaker.on_next(HaltReply(now_us(), A))
        speaker.on_next(ReplyStarted(now_us(), A))
        speaker.on_next(HaltReply(now_us(), A))  # not heard yet
        speaker.on_next(audio(A))
        speaker.on_next(HaltReply(now_us(), B))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))
        assert not ear.clears

    said, _ = run(script)
    assert said == [PlaybackStarted(0, A), PlaybackEnded(20_000, A, 20, True)]


def test_a_recording_ends_no_reply_that_still_plays() -> None:
    async def script(speaker: Speaker, _: Ear) -> None:
        speaker.on_next(ReplyStarted(now_us(), A))
        for _i in range(10):
            speaker.on_next(audio(A))
        speaker.on_next(ReplyEnded(now_us(), A, "completed"))
        await asyncio.sleep(0.196)
        speaker.played_out(now_us())

    said, _ = run(script, RecordedReplies())
    assert said == [PlaybackStarted(0, A), PlaybackEnded(200_000, A, 200, completed=True)]
