"""Runs a program in a process of its own. It takes requests on stdin, and answers each with a line of its output."""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar, cast

A = TypeVar("A")

ReadAnswer: TypeAlias = Callable[[str], "A | None"]
"""The answer that a line of output is, or None where the line is something else: a warning, for example.

Raises ValueError for a line that must not come.
"""

START_S = 60.0  # for the first answer of a process, which loads its model first
EXIT_S = 1.0  # for a process to end after it closed its output
LONGEST_LINE = 1 << 16  # bytes
NICENESS = 5  # of a program beside the node, which must hear a barge-in while the program computes
SECRET = ("KEY", "SECRET", "TOKEN", "PASSWORD")  # ends of the names of variables that no program gets


class ProgramError(Exception):
    """A program could not be started, ended, gave something else than an answer, or was too slow."""


class Program(Generic[A]):
    """A program, in a process that the first request starts.

    Requests are answered one after another, in the order in which they came. One that is cancelled while it waits is
    never sent. One that is cancelled later is worked on to its end, and `discard` gets its answer. After an error the
    next request starts a new process. The process ends with `stop`, with the loop, and with this process (as its stdin
    ends then).
    """

    def __init__(
        self,
        command: Sequence[str],
        read: ReadAnswer[A],
        *,
        discard: Callable[[A], None] = lambda _: None,
        folder: Path | None = None,
    ) -> None:
        """`folder`: the process's working directory."""
        self._command, self._read, self._discard, self._folder = tuple(command), read, discard, folder
        self._turn = asyncio.Lock()
        self._run: _Run[A] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process; None where none runs."""
        return self._run.process.pid if self._run and self._run.alive else None

    async def ask(self, request: bytes, limit_s: float) -> A:
        """The answer. Raises ProgramError, also where none came for `limit_s` seconds (START_S in a new process)."""
        async with self._turn:
            if self._run is None or not await self._run.is_free(limit_s):
                self._run = await self._start()
            return await self._run.ask(request, limit_s)

    async def _start(self) -> _Run[A]:
        environment = {name: text for name, text in os.environ.items() if not name.upper().endswith(SECRET)}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=STDOUT,
                limit=LONGEST_LINE,
                env=environment,
                cwd=self._folder,
                start_new_session=True,  # Ctrl-C ends the node, and the node ends the program when its calls are over
            )
        except OSError as error:
            raise ProgramError(f"{self._command[0]} could not be started ({error.strerror or error})") from error
        if hasattr(os, "setpriority"):  # not on Windows
            with contextlib.suppress(OSError):  # it has ended already
                os.setpriority(os.PRIO_PROCESS, process.pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS))
        return _Run(process, self._read, self._discard)

    async def stop(self) -> None:
        """End the process, if one runs."""
        if self._run is not None:
            await self._run.stop()
            self._run = None


class _Run(Generic[A]):
    """A process, from its start to its end."""

    def __init__(self, process: Process, read: ReadAnswer[A], discard: Callable[[A], None]) -> None:
        self.process = process
        self.alive = True
        self._stdin = cast(asyncio.StreamWriter, process.stdin)  # both are pipes
        self._stdout = cast(asyncio.StreamReader, process.stdout)
        self._read, self._discard = read, discard
        self._answer: asyncio.Future[A | ProgramError] | None = None
        self._has_answered = False
        self._last: deque[str] = deque(maxlen=3)  # lines that were no answers
        self._reader = asyncio.create_task(self._read_lines(), name=f"output of process {process.pid}")

    async def is_free(self, limit_s: float) -> bool:
        """Wait for the answer to a request that was given up. False where the process has ended or is too slow."""
        if self._answer is not None and not self._answer.done():
            await asyncio.wait([self._answer], timeout=self._limit(limit_s))
        if not self.alive or (self._answer is not None and not self._answer.done()):
            await self.stop()
        return self.alive

    async def ask(self, request: bytes, limit_s: float) -> A:
        answer: asyncio.Future[A | ProgramError] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._stdin.write(request)
        limit = self._limit(limit_s)
        try:
            await asyncio.wait([answer], timeout=limit)
        except asyncio.CancelledError:
            answer.add_done_callback(self._drop)
            raise
        if not answer.done():
            await self.stop()
            raise ProgramError(f"gave no answer within {limit:g} s")
        result = answer.result()
        if isinstance(result, ProgramError):
            raise result
        return result

    def _limit(self, limit_s: float) -> float:
        return limit_s if self._has_answered else max(limit_s, START_S)

    def _drop(self, answer: asyncio.Future[A | ProgramError]) -> None:
        if not answer.cancelled() and not isinstance(result := answer.result(), ProgramError):
            self._discard(result)

    async def _read_lines(self) -> None:
        what = "was ended"
        try:
            while line := await self._stdout.readline():
                self._take(line.decode("utf-8", "replace").strip())
            what = await self._exit()
        except ValueError as error:  # a wrong line, or one without an end
            what = f"wrote something else than an answer ({error})"
        finally:
            self.alive = False
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(ProgramError(what))
            await self._close()

    async def _close(self) -> None:
        """Wait for the process that was killed, and for its pipes: what is left open is reported when the loop ends."""
        await self.process.wait()
        self._stdin.close()
        with contextlib.suppress(OSError):
            await self._stdin.wait_closed()
        with contextlib.suppress(asyncio.TimeoutError):  # a process that it has started itself may keep the pipe
            await asyncio.wait_for(self._stdout.read(), EXIT_S)

    def _take(self, line: str) -> None:
        answer = self._read(line)
        if answer is None:
            self._last.append(line[:200])
            return
        if self._answer is None or self._answer.done():
            raise ValueError("an answer that nobody asked for")
        self._has_answered = True
        self._answer.set_result(answer)

    async def _exit(self) -> str:
        """What to say of a process that closed its output."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.process.wait(), EXIT_S)
        code = self.process.returncode
        ended = "closed its output" if code is None else f"ended with exit code {code}"
        said = next((line for line in reversed(self._last) if line), "")
        return f"{ended} ({said})" if said else ended

    async def stop(self) -> None:
        if self.alive:
            self._reader.cancel()
        await asyncio.wait([self._reader])
