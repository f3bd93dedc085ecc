"""The pipeline of a turn, in virtual time: the order of what is asked and told, errors, and what stays open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.converse.fakes import LOST, RATE, SECOND, Stage, quiet, tasks, virtual
from webapi.voice_node.converse.parts import PartError

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


# ---------------------------------------------------------------- errors


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
