"""Cuts of a reply of converse, in virtual time: what is closed, and what the history keeps."""

from __future__ import annotations

import asyncio

import pytest

from tests.converse.fakes import SECOND, Stage, quiet, tasks, virtual
from webapi.voice_node.converse.history import INTERRUPTED


async def cut_after(stage: Stage, trace_id: str, seconds: float, *, playing: bool = True) -> None:
    """Ask for the reply of a turn, and cancel it as the node does: by a barge-in where it is `playing`."""
    utterance = stage.speak(trace_id)
    task = asyncio.ensure_future(stage.play(stage.bot.get_audio_reply(trace_id, utterance), real_time=True))
    await asyncio.sleep(seconds)
    task.cancel()
    stage.bot.stop_playback(trace_id)
    if playing:
        stage.bot.on_barge_in_detected(trace_id)
    await asyncio.wait({task})


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.15, 0.25, 0.35, 0.6, 1.5, 3.0])
def test_a_cut_closes_everything_wherever_the_turn_is(seconds: float) -> None:
    @virtual
    async def body() -> None:
        stage = Stage()
        await stage.start()
        await cut_after(stage, "t1", seconds)
        quiet(stage.log)
        assert tasks() == 0
        assert await stage.turn("t2") == SECOND * 4

    body()


@virtual
async def test_an_interrupted_reply_stays_as_far_as_it_was_heard() -> None:
    stage = Stage()
    await cut_after(stage, "t1", 1.5)
    stage.bot.on_playback_ended("t1", 1000, False, "One.")
    await stage.turn("t2")
    assert stage.llm.asked[-1] == [
        ("system", "Be brief."),
        ("user", "hello bot"),
        ("assistant", f"One. {INTERRUPTED}"),
        ("user", "hello bot"),
    ]


@virtual
async def test_a_node_that_does_not_know_the_words_gets_them_estimated() -> None:
    stage = Stage()
    await cut_after(stage, "t1", 1.8)
    stage.bot.on_playback_ended("t1", 1000, False)
    await stage.turn("t2")
    assert stage.llm.asked[-1][2] == ("assistant", f"One. {INTERRUPTED}")


@virtual
async def test_an_interruption_at_the_first_sample_keeps_what_the_caller_said() -> None:
    stage = Stage()
    await cut_after(stage, "t1", 0.35)
    stage.bot.on_playback_ended("t1", 0, False, None)
    await stage.turn("t2")
    assert stage.llm.asked[-1] == [("system", "Be brief."), ("user", "hello bot\nhello bot")]


@virtual
async def test_a_superseded_turn_leaves_no_trace() -> None:
    stage = Stage()
    await cut_after(stage, "t1", 0.25, playing=False)
    stage.bot.on_playback_ended("t1", 0, False, None)
    stage.stt.text = "hello bot are you there"
    await stage.turn("t2")
    assert stage.llm.asked[-1] == [("system", "Be brief."), ("user", "hello bot are you there")]


@virtual
async def test_a_turn_that_the_node_gave_up_keeps_what_the_caller_said() -> None:
    stage = Stage()
    stage.llm.pieces = [9.0]
    task = asyncio.ensure_future(stage.turn("t1"))
    await asyncio.sleep(5)
    task.cancel()  # REPLY_TIMEOUT_MS: the node does not call stop_playback
    await asyncio.wait({task})
    stage.llm.pieces = ["Yes."]
    await stage.turn("t2")
    assert stage.llm.asked[-1] == [("system", "Be brief."), ("user", "hello bot\nhello bot")]


@virtual
async def test_a_short_interruption_is_dropped_when_the_caller_speaks_again() -> None:
    stage = Stage()
    await stage.start()
    stage.bot.on_speech_started("t1", 0.0)  # neither its end nor its reply follows
    stage.bot.on_partial_audio("t1", SECOND)
    await asyncio.sleep(1)
    await stage.turn("t2")
    quiet(stage.log)


@virtual
async def test_the_stream_of_a_cough_is_closed_two_seconds_after_its_last_audio() -> None:
    stage = Stage()
    await stage.start()
    stage.bot.on_speech_started("t1", 0.0)
    for _ in range(4):
        await asyncio.sleep(1)
        stage.bot.on_partial_audio("t1", SECOND)
    await asyncio.sleep(1.9)
    assert stage.log.open_now == ["listen"]
    await asyncio.sleep(0.2)
    quiet(stage.log)
    assert tasks() == 0
    assert "t1 caller: hello bot…" not in stage.log.all()  # it was not asked for


@virtual
async def test_an_utterance_that_goes_on_after_a_long_loss_of_audio_is_recognised_whole() -> None:
    stage = Stage()
    await stage.start()
    stage.bot.on_speech_started("t1", 0.0)
    stage.bot.on_partial_audio("t1", SECOND)
    await asyncio.sleep(5)
    stage.bot.on_partial_audio("t1", SECOND)
    stage.bot.on_speech_ended("t1", SECOND * 2, 0.0, 1.0)
    await stage.play(stage.bot.get_audio_reply("t1", SECOND * 2))
    assert stage.stt.audio == [SECOND, SECOND * 2]
    quiet(stage.log)


@virtual
async def test_a_reply_that_is_asked_for_late_gets_what_the_stream_has_heard() -> None:
    stage = Stage()
    await stage.start()
    utterance = stage.speak("t1")
    await asyncio.sleep(5)
    await stage.play(stage.bot.get_audio_reply("t1", utterance))
    assert stage.stt.audio == [utterance]
