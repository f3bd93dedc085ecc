"""Runs commands that get the LiveKit server: with a time limit and progress, and never longer than the node."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.status import Status

from webapi.voice_node.errors import PrintLine, UserError

KEEPER = Path(__file__).with_name("keeper.py")
SAY_EVERY_S = 20.0
LAST_LINES = 5
ASK_S = 20.0
END_S = 1.0


def kept(command: Sequence[str]) -> list[str]:
    """The command under keeper.py: it ends when the pipe to its standard input is closed, or the node ends."""
    return [sys.executable, "-I", "-S", str(KEEPER), *command]


def last(lines: Sequence[str]) -> str:
    """The last lines of a command's output, for an error message."""
    return "\n".join(f"  {line[:300]}" for line in lines[-LAST_LINES:])


async def run(command: Sequence[str], env: Mapping[str, str], within_s: float, what: str, say: PrintLine) -> None:
    """Run a command to its end. Progress is a line on a terminal, else a call of `say` every 20 s.

    Raises UserError, with its last lines of output, where it can't be started, fails, or takes longer than `within_s`
    seconds. `what` names it in messages.
    """
    began_s = time.monotonic()
    program = await asyncio.create_subprocess_exec(
        *kept(command),
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for the node, whose end also ends the command
    )
    lines: list[str] = []
    reading = asyncio.create_task(_read(program, lines))
    try:
        with CommandProgress(what, say) as progress:
            while not reading.done():
                await asyncio.wait([reading], timeout=0.5)
                passed_s = time.monotonic() - began_s
                progress.show(passed_s, lines[-1] if lines else "")
                if passed_s > within_s:
                    raise UserError(f"{what}: not done within {within_s:g} s\n{last(lines)}")
        if await program.wait() != 0:
            raise UserError(f"{what}: {' '.join(command)} failed\n{last(lines)}")
    finally:
        if program.stdin is not None:
            program.stdin.close()
        await asyncio.wait([reading], timeout=END_S)  # after a timeout: its files are open until it has ended
        reading.cancel()


async def ask(command: Sequence[str], env: Mapping[str, str] | None = None) -> str | None:
    """The output of a short command; None where there is no such command, it fails, or it takes longer than ASK_S."""
    program: asyncio.subprocess.Process | None = None
    with suppress(OSError, asyncio.TimeoutError):
        program = await asyncio.create_subprocess_exec(
            *command,
            env=None if env is None else {**os.environ, **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        said, _ = await asyncio.wait_for(program.communicate(), ASK_S)
        return said.decode("utf-8", "replace").strip() if program.returncode == 0 else None
    with suppress(ProcessLookupError):
        if program is not None:
            program.kill()
    return None


async def _read(program: asyncio.subprocess.Process, lines: list[str]) -> None:
    while program.stdout is not None and (line := await program.stdout.readline()):
        lines.append(line.decode("utf-8", "replace").rstrip())


class CommandProgress:
    """Progress of a command: a line that changes on a terminal, else a call of `say` every SAY_EVERY_S."""

    def __init__(self, what: str, say: PrintLine) -> None:
        console = Console(stderr=True)
        self._status = Status(what, console=console) if console.is_terminal else None
        self._what = what
        self._say = say
        self._next_s = SAY_EVERY_S

    def __enter__(self) -> CommandProgress:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def show(self, passed_s: float, line: str) -> None:
        """Show the time that has passed, in seconds, and the last line of the command's output."""
        text = f"{self._what}: {passed_s:.0f} s, {line[:60] or 'begun'}"
        if self._status:
            self._status.update(text.replace("[", r"\["))
        elif passed_s >= self._next_s:
            self._next_s += SAY_EVERY_S
            self._say(text)
