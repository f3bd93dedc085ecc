"""The turn reducer where the bot says something of its own accord."""

from __future__ import annotations

import pytest

from tests.timelines import RULE, marbles, run
from webapi.voice_node.hearing import turn_reducer
from webapi.voice_node.hearing.decisions import Interrupted, PromptDue, Started

PROMPTS = RULE._replace(greeting="hello.wav", idle_prompt="still there", idle_frames=6)
IDLE = PROMPTS._replace(greeting="")


def test_a_greeting_comes_with_the_first_frame_and_never_again() -> None:
    rule = PROMPTS._replace(idle_prompt="")
    assert marbles("0000>0000<0000000000", rule) == "A" + "-" * 15
    assert run("0", rule)[1] == [(0, PromptDue(0, "hello.wav"))]
    assert marbles("1", rule) == "A"


def test_the_callers_first_turn_is_then_the_second() -> None:
    _, found = run("0>000<00111", PROMPTS)
    assert [d.utterance.turn for _, d in found if isinstance(d, Started)] == [1]


def test_a_greeting_may_be_talked_over_and_where_it_was_not_heard_nothing_is_carried() -> None:
    assert marbles("0>0000111", PROMPTS) == "A-----SB"
    assert marbles("0000000111", PROMPTS) == "A--------SU"
    _, found = run("0000000111", PROMPTS)
    started, interrupted = (d for _, d in found[1:])
    assert isinstance(started, Started)
    assert isinstance(interrupted, Interrupted)
    assert (interrupted.turn, interrupted.by, interrupted.playing) == (0, 1, False)
    assert (started.utterance.first_frame, started.utterance.voiced_frames) == (5, 3)
    assert marbles("0>0000111", PROMPTS._replace(barge_in=False)) == "A------"


def test_a_prompt_that_is_awaited_keeps_no_audio() -> None:
    state, _ = run("0" * 50, PROMPTS)
    assert state.reply
    assert turn_reducer.oldest_needed(state, 49, PROMPTS) == 45


def test_an_idle_prompt_comes_once_in_a_silence() -> None:
    assert marbles("0" * 30, IDLE) == "------A" + "-" * 23
    assert marbles("0000000>000<0" + "0" * 20, IDLE) == "------A--" + "-" * 20
    said = marbles("0000000>000<0" + "1110000" + ">100<1" + "0" * 20, IDLE)
    assert said == "------A--" + "--S---E" + "--" + "------A" + "-" * 13


def test_idle_is_who_neither_hears_the_bot_nor_waits_for_it_nor_speaks() -> None:
    assert "A" not in marbles("1110000" + "0" * 30, IDLE)  # a reply is being made
    assert "A" not in marbles("1110000>0" + "0" * 30, IDLE)  # it is played
    assert "A" not in marbles("1" * 40, IDLE)
    assert marbles("1110000>000<0" + "0" * 7, IDLE) == "--S---E--" + "------A"
    assert marbles("0>0" + "0" * 30, PROMPTS) == "A" + "-" * 30  # the greeting goes on


def test_silence_is_counted_in_frames_that_came_and_broken_by_a_turn_alone() -> None:
    assert [index for index, _ in run("0000g000", IDLE)[1]] == [6]
    assert [index for index, _ in run("0011000", IDLE)[1]] == [6]
    assert [index for index, _ in run("000000110", IDLE)[1]] == [8]  # not just where a turn may be beginning


def test_a_talked_over_idle_prompt_is_followed_by_another_silence() -> None:
    assert marbles("0000000>00001110000>100<1" + "0" * 8, IDLE) == "------A" + "-----SB---E" + "--" + "------A-"


@pytest.mark.parametrize(("probability", "asked"), [(0.0, 6), (0.3, 6), (0.59, 6), (0.6, None), (0.71, None)])
def test_the_probability_says_whether_noise_is_a_voice(probability: float, asked: int | None) -> None:
    _, found = run("1" * 40, IDLE, probability=probability)  # webrtc takes a hum or a dial tone for voiced throughout
    assert [index for index, _ in found] == ([] if asked is None else [asked])


NOISE = IDLE._replace(steady_frames=10)


def test_steady_noise_blocks_no_prompt_for_ever_where_no_probability_is_known() -> None:
    said = "--S------E" + "-" * 4  # a turn that ended as noise, and the reply to it
    assert marbles("1" * 10 + "1>011<0" + "1" * 20, NOISE)[:13] == said[:13]
    assert marbles("1" * 10 + "1>011<0" + "1" * 20, NOISE)[13:] == "------A" + "-" * 13
    assert (
        marbles("1" * 10 + "1>011<0" + "0" + "1" * 20, NOISE).count("S") == 2
    )  # after a pause it may be a voice again


@pytest.mark.parametrize("reply", [">0", "!0"])
def test_noise_that_was_heard_before_a_reply_that_must_be_heard_is_noise_behind_it(reply: str) -> None:
    rule = NOISE._replace(barge_in=reply == "!0")
    assert marbles("1" * 10 + f"1{reply}11<0" + "1" * 20, rule) == "--S------E" + "---" + "------A" + "-" * 13
