"""A program of a cluster: it is waited for, signalled and ended, and no process of it is left."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from deploy.cluster.program import Program
from webapi.voice_node.errors import UserError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a cluster needs Linux")
ROOT = Path(__file__).parents[2]
WAIT_S = 30.0

WAITS = "import time; print('up', flush=True); time.sleep(600)"
DRAINS = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print('up', flush=True)
signal.sigwait([signal.SIGTERM])
sys.exit(7)
"""
IGNORES = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
print('up', child.pid, flush=True)
time.sleep(600)
"""


def program(folder: Path, source: str, name: str = "worker-1") -> Program:
    """A Python program, ready when it has written "up"."""

    async def is_up() -> bool:
        return made.output.startswith("up")

    made = Program(name, [sys.executable, "-c", source], folder / name / "log.txt", is_up)
    return made


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 2 * WAIT_S))


def lives(pid: int) -> bool:
    """Whether the process runs; not one that has ended and that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def wait_until_gone(pid: int) -> None:
    until_s = time.monotonic() + WAIT_S
    while lives(pid):
        assert time.monotonic() < until_s, pid
        time.sleep(0.02)


def test_it_is_ready_when_it_answers_and_ends_when_it_is_stopped(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = program(tmp_path, WAITS)
        assert not await one.answers()
        one.start()
        await one.ready()
        assert await one.answers()
        pid = one.pid
        assert "time.sleep(600)" in command_line(pid)
        await one.stop()
        assert not one.running
        wait_until_gone(pid)

    run(scenario())


def test_it_is_alone_in_its_process_group(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = program(tmp_path, WAITS)
        one.start()
        await one.ready()
        assert os.getpgid(one.pid) not in (os.getpgid(0), one.pid)
        await one.stop()

    run(scenario())


def test_sigterm_reaches_it_once_and_its_code_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = program(tmp_path, DRAINS)
        one.start()
        await one.ready()
        one.terminate()
        assert await one.ended(WAIT_S) == 7

    run(scenario())


def test_it_can_be_killed_and_started_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = program(tmp_path, WAITS)
        one.start()
        await one.ready()
        first = one.pid
        one.kill()
        assert not lives(first)
        assert not one.running
        one.start()
        await one.ready()
        assert one.pid != first
        await one.stop()

    run(scenario())


def test_one_that_ignores_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = program(tmp_path, IGNORES)
        one.start()
        await one.ready()
        pid, child = one.pid, int(one.output.split()[1])
        await one.stop()
        wait_until_gone(pid)
        wait_until_gone(child)

    run(scenario())


def test_one_that_does_not_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = program(tmp_path, "raise SystemExit('the port is in use')", "redis")
        one.start()
        with pytest.raises(UserError, match=r"redis did not start\.\n  the port is in use\nAll that it said is in "):
            await one.ready()
        with pytest.raises(UserError, match="redis does not run"):
            one.kill()
        await one.stop()

    run(scenario())


def test_one_that_never_answers_is_not_waited_for_without_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        one = program(tmp_path, "import time; print('loading', flush=True); time.sleep(600)")
        one.start()
        with pytest.raises(UserError, match=r"worker-1 was not ready within 0\.1 s"):
            await one.ready(0.1)
        with pytest.raises(UserError, match=r"worker-1 still runs after 0\.1 s"):
            await one.ended(0.1)
        await one.stop()

    run(scenario())


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    starter = f"""
import sys, time
from pathlib import Path
from tests.deploy.test_program import WAITS, program
one = program(Path({str(tmp_path)!r}), WAITS)
one.start()
print(one.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", starter], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert lives(pid)
        process.kill()
    wait_until_gone(pid)
