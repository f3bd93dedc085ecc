"""The node as its users run it: a program of its own in a folder of its own, and what it says and writes there."""

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

from webapi.voice_node.config import Settings

ROOT = Path(__file__).parents[2]
WAIT_S = 30.0  # for anything to happen; the machine may be busy
COMMAND = (sys.executable, "-m", "webapi.voice_node.main")

T = TypeVar("T")


def environment(**variables: object) -> dict[str, str]:
    """This process's environment without any setting of the node, the project on the path, and `variables`."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    return {**kept, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in variables.items()}}


@dataclass(frozen=True)
class Ended:
    """A program that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def run_node(*arguments: str | Path, cwd: Path, **variables: object) -> Ended:
    """Run `voice-node` with those arguments to its end, and with `variables` as its only settings."""
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
    """The whole lines of a file that may still be written; none where it is not there yet."""
    text = path.read_text("utf-8") if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def take_terminal() -> None:
    """In a fresh process: let the terminal on its standard input control it, also where the tests run under nohup."""
    import fcntl  # not on Windows
    import termios

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class NodeProcess:
    """`async with NodeProcess(tmp_path, url, room, MOCK_REPLY="echo") as node:` has published when the block begins.

    `folder` is where it runs, and where its log and metrics are under their default names. Variables are settings.
    `terminal`, a file descriptor, is the terminal that is to control it.
    """

    def __init__(self, folder: Path, url: str, room: str, *arguments: str, **variables: object) -> None:
        self.folder = folder
        self._command = [*COMMAND, *(arguments or ("--graph", "default"))]
        self.terminal: int | None = None
        self.page = ""  # the address that it printed
        # These callers have no loudspeaker, and talk over the bot's very first words: docs/echo.md says what that does.
        defaults = {"LOG_LEVEL": "DEBUG", "VAD_BACKEND": "webrtc", "MOCK_THINK_MS": 20, "WEB_PORT": 0}
        defaults["ECHO_CANCEL"] = "never"
        self._environment = environment(**{**defaults, "LIVEKIT_URL": url, "LK_ROOM": room, **variables})
        self._program: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> NodeProcess:
        with (self.folder / "out.txt").open("wb") as out, (self.folder / "err.txt").open("wb") as err:
            self._program = subprocess.Popen(  # noqa: ASYNC220 - it is there in a millisecond
                self._command,
                cwd=self.folder,
                env=self._environment,
                stdin=self.terminal,
                stdout=out,
                stderr=err,
                start_new_session=self.terminal is not None,
                preexec_fn=take_terminal if self.terminal is not None else None,
            )
        try:
            opened = await self.until(
                lambda: re.search(r"^Open (http://\S+)$", self.out, re.MULTILINE), "the node in its room"
            )
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

    # ------------------------------------------------------------ what it says and writes

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
        """What `look` gives once that is true. It fails where that takes too long, or the node ends first."""
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

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._program is not None
        self._program.send_signal(number)

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
