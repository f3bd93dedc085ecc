"""A call of converse, in virtual time: greeting, parts that open, close and fail, and what comes without a call."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from tests.converse.fakes import LOST, SECOND, FakeCall, Stage, quiet, virtual
from webapi.voice_node.converse.parts import PartError
from webapi.voice_node.errors import UserError
from webapi.voice_node.orchestrator import Call


@virtual
async def test_the_greeting_waits_for_a_voice_that_opens_slowly_however_long_that_takes() -> None:
    stage = Stage(greeting="Welcome.")
    stage.tts.open_errors = [25.0]
    call = FakeCall(stage.log)
    with pytest.raises(PartError, match="tts: is not ready for 10 s"):
        await stage.bot.on_call_started(cast(Call, call))
    assert call.said == []
    await asyncio.sleep(15.1)
    await stage.play(call.said[0])
    assert "s1 bot: Welcome." in stage.log.all()
    await stage.bot.aclose()


@virtual
async def test_a_call_is_not_greeted_late_where_the_caller_has_spoken_or_the_voice_has_failed() -> None:
    spoken = Stage(greeting="Welcome.")
    spoken.tts.open_errors = [5.0]
    call = FakeCall(spoken.log)
    started = asyncio.ensure_future(spoken.bot.on_call_started(cast(Call, call)))
    await asyncio.sleep(1)
    await spoken.turn("t1")
    await started
    assert call.said == []
    speaks = Stage(greeting="Welcome.")
    speaks.tts.open_errors = [5.0]
    started = asyncio.ensure_future(speaks.bot.on_call_started(cast(Call, call)))
    await asyncio.sleep(1)
    speaks.bot.on_speech_started("t1", 1.0)
    await started
    assert call.said == []
    await speaks.bot.aclose()
    failed = Stage(greeting="Welcome.")
    failed.tts.open_errors = [PartError("tts", "it is lost", "Find it")]
    with pytest.raises(PartError):
        await failed.bot.on_call_started(cast(Call, call))
    assert call.said == []
    ended = Stage(greeting="Welcome.")
    ended.tts.open_errors = [5.0]
    started = asyncio.ensure_future(ended.bot.on_call_started(cast(Call, call)))
    await asyncio.sleep(1)
    await ended.bot.on_call_ended("the caller left")
    with pytest.raises(asyncio.CancelledError):
        await started
    assert call.said == []


@virtual
async def test_the_greeting_is_said_and_remembered() -> None:
    stage = Stage(greeting="Welcome. What can I do?")
    call = await stage.start()
    await stage.play(call.said[0])
    stage.bot.on_playback_ended("s1", 2000, True)
    assert [each for each in stage.log.all() if each.startswith("s1")] == [
        "s1 mark text_to_speech",
        "s1 bot: Welcome.",
        "s1 bot: What can I do?",
    ]
    await stage.turn("t1")
    assert stage.llm.asked == [
        [("system", "Be brief."), ("assistant", "Welcome. What can I do?"), ("user", "hello bot")]
    ]


@virtual
async def test_the_end_of_the_call_closes_the_parts_even_while_one_opens() -> None:
    stage = Stage()
    stage.llm.open_errors = [60.0]
    started = asyncio.ensure_future(stage.start())
    await asyncio.sleep(1)
    stage.bot.on_speech_started("t1", 0.0)
    await stage.bot.on_call_ended("left")
    assert {each for each in stage.log.all() if each.startswith("close")} == {"close stt", "close llm", "close tts"}
    with pytest.raises(asyncio.CancelledError):
        await started
    quiet(stage.log)


@virtual
async def test_an_end_of_the_call_that_is_given_up_closes_the_parts_all_the_same() -> None:
    stage = Stage()
    await stage.start()
    stage.stt.close_s = stage.tts.aclose_s = 1.0
    stage.bot.on_speech_started("t1", 0.0)
    await asyncio.sleep(0.5)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(stage.bot.on_call_ended("left"), 0.7)
    await asyncio.sleep(0.4)
    assert [each for each in stage.log.entries if "close" in each[1]] == [
        (500, "close stt"),
        (500, "close llm"),
        (1500, "close tts"),
    ]
    quiet(stage.log)


@virtual
async def test_what_a_part_raises_when_it_is_closed_is_told_after_all_are_closed() -> None:
    stage = Stage()
    await stage.start()
    stage.stt.aclose_error = LOST
    stage.tts.aclose_s = 1.0
    with pytest.raises(PartError, match="it is lost"):
        await stage.bot.on_call_ended("left")
    assert stage.log.at("close tts") == 1000


@virtual
async def test_parts_that_cannot_be_opened_are_told_and_tried_again_at_the_next_turn() -> None:
    stage = Stage()
    stage.stt.open_errors = [PartError("stt", "no", "Do this")]
    stage.tts.open_errors = [PartError("tts", "no", "Do that")]
    with pytest.raises(UserError, match=r"(?s)stt: no. Do this\ntts: no. Do that"):
        await stage.start()
    assert await stage.turn("t1") == SECOND * 4


@virtual
async def test_a_part_that_opens_slowly_costs_the_turns_until_it_is_ready() -> None:
    stage = Stage()
    stage.llm.open_errors = [25.0]
    with pytest.raises(PartError, match="llm: is not ready for 10 s"):
        await stage.start()
    with pytest.raises(PartError, match="llm: is not ready for 10 s"):
        await stage.turn("t1")
    assert await stage.turn("t2") == SECOND * 4
    assert stage.log.all().count("open llm") == 1
