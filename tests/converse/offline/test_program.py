"""Programs in processes of their own: answers in order, and whatever goes wrong costs the request and no other."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from webapi.voice_node.converse.offline import program as module
from webapi.voice_node.converse.offline.program import Program, ProgramError

FAKE = str(Path(__file__).with_name("fake_program.py"))
PATIENT_S = 60.0
T = TypeVar("T")


def read_answer(line: str) -> str | None:
    if line.startswith("wrong"):
        raise ValueError(line)
    return line.removeprefix("answer ") if line.startswith("answer ") else None


def fake(**more: Any) -> Program[str]:
    return Program([sys.executable, FAKE], read_answer, **more)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, PATIENT_S))


async def ask(program: Program[str], request: str, limit_s: float = PATIENT_S) -> str:
    return await program.ask(f"{request}\n".encode(), limit_s)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition: Callable[[], bool]) -> None:
    for _ in itertools.count():
        if condition():
            return
        await asyncio.sleep(0.01)


async def until_dead(pid: int) -> None:
    await until(lambda: not is_alive(pid))


def test_requests_are_answered_in_order_by_one_process() -> None:
    async def work() -> list[str]:
        program = fake()
        answers = await asyncio.gather(*(ask(program, f"say {n}") for n in range(20)), ask(program, "pid"))
        assert answers[-1] == str(program.pid)
        await program.stop()
        assert program.pid is None
        return answers[:-1]

    assert run(work()) == [str(n) for n in range(20)]


def test_lines_that_are_no_answers_are_skipped() -> None:
    async def work() -> str:
        program = fake()
        answer = await ask(program, "warn of this\nsay that")
        await program.stop()
        return answer

    assert run(work()) == "that"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("exit 3", r"ended with exit code 3 \(ImportError: no module named model\)"),
        ("exit 0", "ended with exit code 0"),
        ("close", "closed its output"),
        ("endless", "wrote something else than an answer"),
    ],
)
def test_a_process_that_fails_costs_one_request(request_: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXIT_S", 0.05)

    async def work() -> None:
        program = fake()
        first = int(await ask(program, "pid"))
        with pytest.raises(ProgramError, match=says):
            await ask(program, request_)
        await until_dead(first)
        assert int(await ask(program, "pid")) != first
        await program.stop()

    run(work())


def test_a_process_that_is_killed_costs_one_request() -> None:
    async def work() -> None:
        program = fake()
        pid = int(await ask(program, "pid"))
        waiting = asyncio.create_task(ask(program, "wait /nowhere/at/all x"))
        after = asyncio.create_task(ask(program, "say after"))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ProgramError, match="ended with exit code -9"):
            await waiting
        assert await after == "after"
        await program.stop()

    run(work())


def test_a_process_that_is_killed_while_nothing_is_asked_costs_nothing() -> None:
    async def work() -> str:
        program = fake()
        pid = int(await ask(program, "pid"))
        os.kill(pid, signal.SIGKILL)
        await until(lambda: program.pid is None)
        answer = await ask(program, "say well")
        await program.stop()
        return answer

    assert run(work()) == "well"


def test_an_answer_that_nobody_asked_for_ends_the_process() -> None:
    async def work() -> None:
        program = fake()
        pid = int(await ask(program, "pid"))
        assert await ask(program, "twice yes") == "yes"
        await until_dead(pid)
        assert await ask(program, "say next") == "next"
        await program.stop()

    run(work())


def test_a_line_that_must_not_come_ends_the_process() -> None:
    async def work() -> None:
        program: Program[str] = Program(
            [sys.executable, "-c", "input(); print('wrong', flush=True); input()"], read_answer
        )
        with pytest.raises(ProgramError, match=r"something else than an answer \(wrong\)"):
            await ask(program, "anything")
        await program.stop()

    run(work())


def test_a_process_that_is_too_slow_is_ended() -> None:
    async def work() -> None:
        program = fake()
        pid = int(await ask(program, "pid"))
        with pytest.raises(ProgramError, match=r"gave no answer within 0\.05 s"):
            await ask(program, "wait /nowhere/at/all x", 0.05)
        assert not is_alive(pid)
        assert await ask(program, "say next") == "next"
        await program.stop()

    run(work())


def test_the_first_answer_of_a_process_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        program = fake()
        assert await ask(program, "say loaded", 1e-6) == "loaded"  # the limit is START_S
        with pytest.raises(ProgramError, match="gave no answer"):
            await ask(program, "wait /nowhere/at/all x", 1e-6)
        monkeypatch.setattr(module, "START_S", 0.01)
        with pytest.raises(ProgramError, match=r"within 0\.01 s"):
            await ask(program, "wait /nowhere/at/all x", 1e-6)
        await program.stop()

    run(work())


def test_a_request_that_is_cancelled_while_it_waits_is_never_sent(tmp_path: Path) -> None:
    async def work() -> None:
        dropped: list[str] = []
        program = fake(discard=dropped.append)
        first = asyncio.create_task(ask(program, f"wait {tmp_path / 'go'} first"))
        second = asyncio.create_task(ask(program, "say second"))
        third = asyncio.create_task(ask(program, "say third"))
        await until(lambda: program.pid is not None)
        second.cancel()
        (tmp_path / "go").touch()
        assert [await first, await third] == ["first", "third"]
        assert second.cancelled()
        assert dropped == []
        await program.stop()

    run(work())


def test_the_answer_to_a_request_that_was_given_up_goes_to_nobody(tmp_path: Path) -> None:
    async def work() -> None:
        dropped: list[str] = []
        program = fake(discard=dropped.append)
        pid = int(await ask(program, "pid"))
        for number in range(3):
            given_up = asyncio.create_task(ask(program, f"wait {tmp_path / str(number)} {number}"))
            await until((tmp_path / f"{number}.begun").exists)
            given_up.cancel()
            with suppress(asyncio.CancelledError):
                await given_up
            after = asyncio.create_task(ask(program, f"say after {number}"))
            (tmp_path / str(number)).touch()
            assert await after == f"after {number}"
        assert dropped == ["0", "1", "2"]
        assert program.pid == pid
        await program.stop()

    run(work())


def test_a_process_that_hangs_in_a_request_that_was_given_up_is_ended(tmp_path: Path) -> None:
    async def work() -> None:
        program = fake()
        pid = int(await ask(program, "pid"))
        given_up = asyncio.create_task(ask(program, f"wait {tmp_path / 'never'} x"))
        await until((tmp_path / "never.begun").exists)
        given_up.cancel()
        await asyncio.sleep(0)
        assert await ask(program, "say next", 0.05) == "next"
        assert not is_alive(pid)
        await program.stop()

    run(work())


def test_a_program_that_does_not_exist_is_named() -> None:
    async def work() -> None:
        program: Program[str] = Program(["/nowhere/piper"], read_answer)
        with pytest.raises(ProgramError, match="/nowhere/piper could not be started"):
            await ask(program, "say x")
        await program.stop()

    run(work())


def test_the_process_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "s")
    monkeypatch.setenv("LANGUAGE_OF_TEST", "en")

    async def work() -> list[str]:
        program = fake()
        names = ("OPENAI_API_KEY", "LIVEKIT_API_SECRET", "LANGUAGE_OF_TEST")
        answers = [await ask(program, f"environment {name}") for name in names]
        await program.stop()
        return answers

    assert run(work()) == ["none", "none", "en"]


def test_the_process_makes_way_for_the_node() -> None:
    async def work() -> int:
        program = fake()
        await ask(program, "pid")
        assert program.pid is not None
        niceness = os.getpriority(os.PRIO_PROCESS, program.pid)
        await program.stop()
        return niceness

    assert run(work()) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + module.NICENESS)


def test_the_process_ends_with_the_loop() -> None:
    async def work() -> int:
        return int(await ask(fake(), "pid"))

    pid = run(work())
    asyncio.run(asyncio.wait_for(until_dead(pid), PATIENT_S))


def test_the_process_ends_when_the_node_is_killed() -> None:
    script = (
        "import asyncio, os, signal, sys\n"
        "from tests.converse.offline.test_program import ask, fake\n"
        "async def main():\n"
        "    print(await ask(fake(), 'pid'), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    asyncio.run(asyncio.wait_for(until_dead(int(done.stdout)), PATIENT_S))
