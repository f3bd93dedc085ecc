"""The real voice says sentences, and the real recogniser understands them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import soxr

from tests.converse.offline.test_program import run
from tests.word_errors import error_rate, words
from webapi.voice_node.converse.offline.programs.whisper_worker import cut, once, repeats
from webapi.voice_node.converse.offline.recogniser import Recogniser
from webapi.voice_node.converse.offline.voice import Voice
from webapi.voice_node.converse.parts import Heard

SENTENCES = (
    "Good evening, I would like to book a table.",
    "For five people, please.",
    "On Saturday, in the evening.",
    "My name is Anna Miller.",
    "Yes, that is right, thank you.",
)
RATE_HZ = 8000
MOST_WRONG = 0.2  # of all words; one run in this environment had none


async def understood(voice: Voice, recogniser: Recogniser, sentence: str) -> str:
    pcm = b"".join([piece async for piece in voice.speak(sentence)])
    caller = soxr.resample(np.frombuffer(pcm, "<i2"), voice.rate, RATE_HZ).astype("<i2").tobytes()

    async def audio() -> AsyncIterator[bytes]:
        for start in range(0, len(caller), 320):
            yield caller[start : start + 320]

    found: list[Heard] = [each async for each in recogniser.listen(audio(), RATE_HZ)]
    return " ".join(each.text for each in found if each.final)


def test_what_the_voice_says_is_recognised_through_a_telephones_rate() -> None:
    async def work() -> list[str]:
        voice, recogniser = Voice(keep_s=0), Recogniser(keep_s=0)
        await asyncio.gather(voice.open(), recogniser.open())
        try:
            return [await understood(voice, recogniser, sentence) for sentence in SENTENCES]
        finally:
            await asyncio.gather(voice.aclose(), recogniser.aclose())

    texts = run(work())
    rate = error_rate(list(SENTENCES), texts)
    print(f"word error rate {rate:.2f}: {texts}")
    assert rate <= MOST_WRONG, texts


@pytest.mark.parametrize(
    ("tokens", "most", "expected"),
    [
        ([1, 2, 3], 9, False),
        ([1, 2, 1, 2], 9, False),
        ([1, 1, 1], 9, True),
        ([5, 1, 2, 1, 2, 1, 2, 6], 9, True),
        ([], 9, False),
        ([1, 2, 3], 3, True),
    ],
)
def test_a_text_that_repeats_itself_is_noticed(tokens: list[int], most: int, expected: bool) -> None:
    assert repeats(tokens, most) is expected


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], []),
        ([1], [1]),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, 1], [1, 2, 3, 1]),
        ([1, 2, 1, 2], [1, 2]),
        ([1, 2, 3, 1, 2, 3, 1], [1, 2, 3]),
        ([5, 1, 1, 1, 1], [5, 1]),
        ([7, 7, 1, 2, 3, 2, 3, 2], [7, 7, 1, 2, 3]),
    ],
)
def test_a_repetition_that_goes_on_to_the_end_is_cut(tokens: list[int], expected: list[int]) -> None:
    assert cut(tokens) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("No, make it five.", "No, make it five."),
        ("At seven. At seven.", "At seven."),
        ("Yes, that is right. Yes, that is", "Yes, that is right."),
        ("On Friday? on Friday?", "On Friday?"),
        ("No. At seven. No.", "No. At seven. No."),
    ],
)
def test_a_sentence_that_is_heard_twice_is_told_once(text: str, expected: str) -> None:
    assert once(text) == expected


def test_a_hint_makes_no_short_answer_repeat_itself() -> None:
    said = ("Yes.", "Yes, that is right.", "Help.", "No.")

    async def work() -> list[str]:
        voice = Voice(keep_s=0)
        recogniser = Recogniser(keep_s=0, hint="Booking a table for four people on Friday. The name is Miller.")
        await asyncio.gather(voice.open(), recogniser.open())
        try:
            return [await understood(voice, recogniser, sentence) for sentence in said]
        finally:
            await asyncio.gather(voice.aclose(), recogniser.aclose())

    texts = run(work())
    longer = [text for text, each in zip(texts, said, strict=True) if len(words(text)) > len(words(each)) + 1]
    assert longer == [], texts


def test_silence_has_no_words() -> None:
    async def work() -> list[Heard]:
        recogniser = Recogniser(keep_s=0)

        async def audio() -> AsyncIterator[bytes]:
            yield bytes(2 * RATE_HZ)

        try:
            return [each async for each in recogniser.listen(audio(), RATE_HZ)]
        finally:
            await recogniser.aclose()

    assert run(work()) == []
