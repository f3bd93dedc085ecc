"""The pipeline of a turn, in virtual time: the order of what is asked and told, cuts, errors, and what stays open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, cast

import pytest

from tests.converse.fakes import RATE, SECOND, FakeCall, Log, Stage, tasks
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.converse.history import INTERRUPTED
from webapi.voice_node.converse.parts import PartError
from webapi.voice_node.errors import UserError
from webapi.voice_node.orchestrator import Call


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test runs in virtual time, and leaves neither a task nor an open part."""

    @wraps(test)
    def run(**arguments: Any) -> None:
        async def body() -> None:
            await test(**arguments)
            await asyncio.sleep(0)
            assert tasks() == 0

        run_virtual(body())

    return run


def quiet(log: Log) -> None:
    assert log.open_now == []


# ---------------------------------------------------------------- a turn


@virtual
async def test_a_turn_is_heard_answered_and_spoken_in_this_order() -> None:
    stage = Stage()
    stage.llm.pieces = ["Hi there. ", "Bye."]
    await stage.start()
    pcm = await stage.turn("t1")
    assert pcm == SECOND * 2
    assert stage.log.all() == [
        *("open stt", "open llm", "open tts"),
        *("listen", "t1 caller: hello…", "t1 caller: hello bot…", "t1 caller: hello bot", "t1 mark speech_to_text"),
        *("chat", "t1 mark llm_first_token", "speak Hi there."),
        *("t1 mark text_to_speech", "t1 bot: Hi there.", "chunk 8000", "made Hi there.", "chunk 8000", "speak Bye."),
        *("t1 bot: Bye.", "chunk 8000", "made Bye.", "chunk 8000"),
    ]
    quiet(stage.log)


@virtual
async def test_the_next_sentence_is_spoken_while_this_one_plays_and_no_more_than_that() -> None:
    stage = Stage()
    await stage.start()
    await stage.turn("t1", real_time=True)
    at = stage.log.at
    assert at("speak Two.") == at("made One.") < at("t1 bot: Two.")
    assert at("speak Three.") == at("t1 bot: Two.")  # not before the second plays, though its text was there
    assert at("speak Four.") == at("t1 bot: Three.")
    assert at("t1 bot: Two.") - at("t1 bot: One.") == 1000  # no pause between them


@virtual
async def test_the_recogniser_hears_while_the_caller_speaks_every_sample_in_order() -> None:
    stage = Stage()
    await stage.start()
    pieces = [bytes([number, 0]) * 160 for number in range(250)]
    stage.bot.on_speech_started("t1", 0.0)
    for piece in pieces:
        stage.bot.on_partial_audio("t1", piece)
        await asyncio.sleep(0.02)
    assert stage.stt.audio == [b"".join(pieces)]
    stage.bot.on_speech_ended("t1", b"".join(pieces), 0.0, 1.0)
    await stage.play(stage.bot.get_audio_reply("t1", b"".join(pieces)))
    assert stage.stt.audio == [b"".join(pieces)]


@virtual
async def test_an_utterance_whose_start_the_stream_missed_is_recognised_whole() -> None:
    stage = Stage()
    await stage.start()
    utterance = stage.speak("t1")
    await stage.play(stage.bot.get_audio_reply("t1", SECOND + utterance))
    assert stage.stt.audio[-1] == SECOND * 2
    quiet(stage.log)


@virtual
async def test_audio_that_a_slow_recogniser_does_not_take_is_bounded_and_not_lost() -> None:
    stage = Stage()
    stage.stt.open_errors = [5.0]
    started = asyncio.ensure_future(stage.start())
    await asyncio.sleep(1)
    utterance = stage.speak("t1", seconds=90)
    await stage.play(stage.bot.get_audio_reply("t1", utterance))
    assert stage.stt.audio[-1] == utterance
    await started


@virtual
async def test_without_a_call_a_turn_is_answered_all_the_same() -> None:
    stage = Stage(greeting="Welcome.")
    assert await stage.turn("t1") == SECOND * 4
    await stage.bot.aclose()


@virtual
async def test_the_stamps_of_the_node_are_set() -> None:
    stage = Stage()
    stamps: list[tuple[str, str]] = []
    stage.bot.on_tts_first_chunk = lambda trace_id, ts: stamps.append(("tts", trace_id))
    stage.bot.on_llm_request_done = lambda trace_id, ts: stamps.append(("llm", trace_id))
    await stage.turn("t1")
    assert sorted(stamps) == [("llm", "t1"), ("tts", "t1")]


@virtual
async def test_replies_have_the_rate_of_the_speech() -> None:
    assert Stage().bot.reply_rate == RATE


@virtual
async def test_half_a_sample_never_shifts_the_next_sentence() -> None:
    stage = Stage()
    stage.llm.pieces = ["One. ", "Two."]
    stage.tts.chunk = b"\1\2\3"
    pcm = await stage.turn("t1")
    assert pcm == b"\1\2\3\1\2\3" * 2
    stage.tts.errors = {}
    stage.tts.chunk = b"\1"
    assert await stage.turn("t2") == b"\1\1" * 2


@virtual
async def test_nothing_understood_is_an_empty_reply_or_sorry() -> None:
    stage = Stage()
    stage.stt.text = ""
    assert await stage.turn("t1") == b""
    stage = Stage(sorry="Pardon?")
    stage.stt.text = " "
    assert await stage.turn("t1") == SECOND
    assert stage.llm.asked == []


@virtual
async def test_an_answer_without_words_is_an_empty_reply() -> None:
    stage = Stage()
    stage.llm.pieces = ["", " ", "\n"]
    assert await stage.turn("t1") == b""


# ---------------------------------------------------------------- the call


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


# ---------------------------------------------------------------- cuts


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


# ---------------------------------------------------------------- errors

LOST = PartError("part", "it is lost", "Find it")


def break_stt(stage: Stage) -> None:
    stage.stt.error = LOST


def break_llm(stage: Stage) -> None:
    stage.llm.pieces = [LOST]


def break_tts(stage: Stage) -> None:
    stage.tts.errors = {"One.": LOST}


def slow_stt(stage: Stage) -> None:
    stage.stt.delay_s = 60


def slow_llm(stage: Stage) -> None:
    stage.llm.pieces = [60.0, "One."]


def stuck_llm(stage: Stage) -> None:
    stage.llm.pieces = ["One. ", "T", 60.0, "wo."]


def slow_tts(stage: Stage) -> None:
    stage.tts.delay_s = 60


BROKEN: dict[Callable[[Stage], None], str] = {
    break_stt: "part: it is lost. Find it",
    break_llm: "part: it is lost. Find it",
    break_tts: "part: it is lost. Find it",
    slow_stt: "stt: understood nothing for 10 s. .* timeout_s",
    slow_llm: "llm: gave nothing for 10 s. .* timeout_s",
    stuck_llm: "llm: gave nothing for 10 s. .* timeout_s",
    slow_tts: "tts: gave nothing for 10 s. .* timeout_s",
}


@pytest.mark.parametrize("harm", BROKEN, ids=lambda harm: harm.__name__)
def test_a_part_that_fails_costs_the_turn_and_the_next_one_works(harm: Callable[[Stage], None]) -> None:
    @virtual
    async def body() -> None:
        stage = Stage()
        await stage.start()
        harm(stage)
        with pytest.raises(PartError, match=BROKEN[harm]):
            await stage.turn("t1")
        quiet(stage.log)
        assert tasks() == 0
        well = Stage()
        vars(stage.stt).update(error=None, delay_s=0.1)
        vars(stage.tts).update(errors={}, delay_s=0.1)
        stage.llm.pieces = well.llm.pieces
        assert await stage.turn("t2") == SECOND * 4

    body()


@virtual
async def test_what_was_written_before_the_model_died_is_spoken() -> None:
    stage = Stage()
    await stage.start()
    stage.llm.pieces = ["One. ", "Two. ", "Thr", LOST]
    with pytest.raises(PartError):
        await stage.turn("t1")
    assert stage.log.all().count("chunk 8000") == 4
    assert "t1 bot: Two." in stage.log.all()
