"""A program of the cluster: started, waited for, signalled and ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from webapi.voice_node.dev_server.command import kept, last
from webapi.voice_node.errors import UserError

READY_S = 60.0  # a worker imports for some seconds; a busy machine may need longer
STOP_S = 6.0  # the keeper asks the program to end, asks again, and kills it after 3.3 s
POLL_S = 0.05


class Program:
    """A program in a process group of its own. It ends with this process, however that ends (see keeper.py).

    `name` names it in messages. `answers` says whether it is ready. `log` gets all its output since the last start.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        answers: Callable[[], Awaitable[bool]],
        *,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(word) for word in command]
        self._answers = answers
        self._env = dict(os.environ if env is None else env)
        self._keeper: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------ starting

    def start(self) -> None:
        """Start it in the folder of its log; also again, after it has ended. `ready` waits until it answers."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self._close_pipe()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._keeper = subprocess.Popen(
                kept(self._command),
                cwd=self.log.parent,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,  # Ctrl-C is for this process, which ends the programs in their order
            )

    async def ready(self, within_s: float = READY_S) -> None:
        """Wait until it answers. UserError, with its last output, where it ends or takes longer than that."""
        until_s = time.monotonic() + within_s
        while not await self._answers():
            if not self.running:
                raise UserError(f"{self.name} did not start.\n{self.last_words()}")
            if time.monotonic() > until_s:
                raise UserError(f"{self.name} was not ready within {within_s:g} s.\n{self.last_words()}")
            await asyncio.sleep(POLL_S)

    async def answers(self) -> bool:
        """Whether it is ready now."""
        return self.running and await self._answers()

    # ------------------------------------------------------------ the process

    @property
    def running(self) -> bool:
        """It was started and has not ended."""
        return self._keeper is not None and self._keeper.poll() is None

    @property
    def pid(self) -> int:
        """The id of its process (not of the keeper). UserError where it does not run."""
        if self._keeper is not None:
            children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children")
            until_s = time.monotonic() + STOP_S
            while self.running and time.monotonic() < until_s:  # the keeper needs 20 ms to start it
                if found := children.read_text("ascii").split():
                    return int(found[0])
                time.sleep(0.01)
        raise UserError(f"{self.name} does not run.")

    def terminate(self) -> None:
        """Send it SIGTERM, once: a worker drains, a LiveKit node waits for its participants."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, as a crash would, and return when it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._keeper is not None  # noqa: S101 - it has a pid
        self._keeper.wait(STOP_S)

    async def ended(self, within_s: float) -> int:
        """Its exit code, once it has ended (1 after a signal). UserError where it runs longer than that."""
        if self._keeper is None:
            raise RuntimeError(f"{self.name} was not started")
        until_s = time.monotonic() + within_s
        while (code := self._keeper.poll()) is None:
            if time.monotonic() > until_s:
                raise UserError(f"{self.name} still runs after {within_s:g} s.\n{self.last_words()}")
            await asyncio.sleep(POLL_S)
        return code

    async def stop(self) -> None:
        """End it, and every process that it left in its group. It takes STOP_S at most."""
        if self._keeper is None:
            return
        self._close_pipe()
        with contextlib.suppress(UserError):
            await self.ended(STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._keeper.pid, signal.SIGKILL)
        self._keeper.wait(STOP_S)

    def _close_pipe(self) -> None:
        if self._keeper is not None and self._keeper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._keeper.stdin.close()

    # ------------------------------------------------------------ what it said

    @property
    def output(self) -> str:
        """All that it said since the last start."""
        return self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""

    def last_words(self) -> str:
        """The last lines of its output, and where all of it is."""
        return f"{last(self.output.strip().splitlines())}\nAll that it said is in {self.log}."
