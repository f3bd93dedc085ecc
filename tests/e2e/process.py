"""The node as users run it: a program in a folder of its own, with its output and the files that it writes there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from typing_extensions import Self

from deploy.cluster.programs import node_environment

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0  # for anything to happen; the machine may be busy
COMMAND = (sys.executable, "-m", "webapi.voice_node.main")

T = TypeVar("T")


def environment(**variables: object) -> dict[str, str]:
    """This process's environment with `variables` as the only settings of the node, and the project on the path."""
    return node_environment(variables)


@dataclass(frozen=True)
class Ended:
    """The exit code and output of a program that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def run_node(*arguments: str | Path, cwd: Path, **variables: object) -> Ended:
    """Run `voice-node` to its end, with `variables` as its only settings."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=2 * WAIT_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a file that is perhaps still written; none where there is no file yet."""
    text = path.read_text("utf-8") if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def take_terminal() -> None:
    """In a new process: make the terminal on standard input its controlling terminal, also under nohup."""
    import fcntl  # not on Windows
    import termios

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class NodeProcess:
    """`async with NodeProcess(tmp_path, url, room, MOCK_REPLY="echo") as node:` has published when the block begins.

    It runs in `folder`, and writes log and metrics there under their default names. `variables` are settings.
    `terminal` is the file descriptor of its controlling terminal.
    """

    ready = r"^Open (http://\S+)$"  # what it prints when it can be called
    room_setting = "LK_ROOM"

    def __init__(self, folder: Path, url: str, room: str, *arguments: str, **variables: object) -> None:
        self.folder = folder
        self._command = [*COMMAND, *(arguments or ("--graph", "default"))]
        self.terminal: int | None = None
        self.own_group = False  # it is in a process group of its own
        self.page = ""  # the address that it printed
        # The tests' callers have no loudspeaker, and interrupt the bot's first words: see docs/echo.md.
        defaults = {"LOG_LEVEL": "DEBUG", "VAD_BACKEND": "webrtc", "MOCK_THINK_MS": 20, "WEB_PORT": 0}
        defaults["ECHO_CANCEL"] = "never"
        self._environment = environment(**{**defaults, "LIVEKIT_URL": url, self.room_setting: room, **variables})
        self._program: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        with (self.folder / "out.txt").open("wb") as out, (self.folder / "err.txt").open("wb") as err:
            self._program = subprocess.Popen(  # noqa: ASYNC220 - it is there in a millisecond
                self._command,
                cwd=self.folder,
                env=self._environment,
                stdin=self.terminal,
                stdout=out,
                stderr=err,
                start_new_session=self.own_group or self.terminal is not None,
                preexec_fn=take_terminal if self.terminal is not None else None,
            )
        try:
            opened = await self.until(lambda: re.search(self.ready, self.out, re.MULTILINE), "the node in its room")
        except BaseException:
            self._kill()
            raise
        assert opened is not None
        self.page = opened[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._kill()
            print(f"--- what the node said ---\n{self.out}{self.err}")
        elif self.running:
            assert await self.stop() == 0, self.err

    # ------------------------------------------------------------ output and files

    @property
    def out(self) -> str:
        """Its standard output so far."""
        return (self.folder / "out.txt").read_text("utf-8", "replace")

    @property
    def err(self) -> str:
        """Its standard error so far."""
        return (self.folder / "err.txt").read_text("utf-8", "replace")

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of its log so far."""
        return json_lines(self.folder / "voice_node.log")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of its metrics so far."""
        return json_lines(self.folder / "metrics.jsonl")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log for that event."""
        return [line for line in self.log if line.get("event") == event]

    # ------------------------------------------------------------ waiting and ending

    @property
    def running(self) -> bool:
        """It has not ended."""
        return self._program is not None and self._program.poll() is None

    async def until(self, look: Callable[[], T], what: str) -> T:
        """The result of `look` once it is true. Fails after WAIT_S, and where the node ends before."""
        until_s = time.monotonic() + WAIT_S
        while not (found := look()):
            over = not self.running
            if over and (found := look()):  # it may have happened just before the end
                break
            assert not over, f"{what}: the node has ended: {self.err}"
            assert time.monotonic() < until_s, f"{what}: not within {WAIT_S:g} s: {self.err}"
            await asyncio.sleep(0.05)
        return found

    async def metrics_of(self, trace_id: str) -> dict[str, Any]:
        """The line of that turn, once it is written."""
        found = await self.until(
            lambda: next((line for line in self.metrics if line["trace_id"] == trace_id), None), f"turn {trace_id}"
        )
        assert found is not None
        return found

    async def die(self) -> None:
        """End it as a crash does: it has no time to leave anything."""
        self._kill()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._program is not None
        self._program.send_signal(number)

    def send_group(self, number: signal.Signals) -> None:
        """Send a signal to all processes of its own group."""
        assert self._program is not None
        assert self.own_group
        os.killpg(self._program.pid, number)

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        assert self._program is not None
        return await asyncio.to_thread(self._program.wait, WAIT_S)

    async def stop(self) -> int:
        """End it as a service manager does; its exit code."""
        self.send(signal.SIGTERM)
        return await self.ended()

    def _kill(self) -> None:
        assert self._program is not None
        self._program.kill()
        self._program.wait()
