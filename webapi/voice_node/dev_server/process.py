"""Runs one LiveKit server as a child process: on loopback only, and never longer than the node."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from webapi.voice_node.dev_server.command import kept, last
from webapi.voice_node.errors import UserError

START_S = 30.0  # it answers after 0.1 s, in Docker after some seconds; a busy machine may need longer
STOP_S = 1.5  # after this time the node does not wait any more; the keeper still ends the server


class ServerProcess:
    """A command that serves LiveKit on host:port. It can be started and stopped several times, and ends with the node.

    `log` gets all its output since the last start.
    """

    def __init__(
        self, command: Sequence[str], host: str, port: int, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.host = host
        self.port = port
        self.log = log
        self._command = list(command)
        self._env = {**os.environ, **(env or {})}
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, also one that ended; `answers` waits for it. UserError where its log can't be written."""
        if self.runs:
            raise RuntimeError("it runs already")
        if self._keeper is not None:
            self._close_pipe()
            self._wait()
        with self._open_log() as log:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own command
                kept(self._command),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                # Ctrl-C is for the node, which leaves its room before the server ends.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )

    def _open_log(self) -> BinaryIO:
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            return self.log.open("wb")
        except OSError as error:
            raise UserError(
                f"The local LiveKit server's log can't be written, {self.log}: {error.strerror or error}.\n"
                "Allow writing there; or choose another folder by XDG_CACHE_HOME (Windows: LOCALAPPDATA)."
            ) from None

    @property
    def runs(self) -> bool:
        """It was started, and has neither been stopped nor ended by itself."""
        return self._keeper is not None and self._keeper.poll() is None

    async def serves(self) -> bool:
        """It runs; or only its keeper was killed, and the server still answers."""
        return self.runs or await speaks_http(self.host, self.port, 1.0)

    async def answers(self, within_s: float = START_S) -> None:
        """Wait until the server answers. UserError, with its last output, where it ends or takes longer than that."""
        until_s = time.monotonic() + within_s
        while not await speaks_http(self.host, self.port, 1.0):
            if not self.runs:
                raise UserError(f"The local LiveKit server did not start.\n{self.last_words()}")
            if time.monotonic() > until_s:
                raise UserError(f"The local LiveKit server gave no answer within {within_s:g} s.\n{self.last_words()}")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End the server, although participants may be connected. It takes STOP_S at most."""
        if self._keeper is not None:
            self._close_pipe()
            await asyncio.to_thread(self._wait)

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        if self._keeper is not None:
            self._close_pipe(b"kill\n")
            self._wait()

    def _close_pipe(self, word: bytes = b"") -> None:
        pipe = self._keeper.stdin if self._keeper else None
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            if pipe is not None:
                pipe.write(word)
                pipe.close()

    def _wait(self) -> None:
        keeper, self._keeper = self._keeper, None
        with contextlib.suppress(subprocess.TimeoutExpired):
            if keeper is not None:
                keeper.wait(STOP_S)

    def last_words(self) -> str:
        """The last lines of its output, and where all of it is."""
        said = self.log.read_text("utf-8", errors="replace").strip().splitlines()
        return f"{last(said)}\nAll that it said is in {self.log}."


def livekit(binary: Path, host: str, port: int, key: str, secret: str, log: Path) -> ServerProcess:
    """A server of the livekit-server binary. Signalling and media (UDP) are bound to `host`, a loopback address, only.

    `--bind` alone binds only the signalling; media would use every network of the machine or, where there is none, not
    work at all. The key is given through the environment, as every user of the machine can see a command line.
    """
    config = {
        "port": port,
        "logging": {"level": "info"},  # with --dev alone it logs megabytes a minute
        "rtc": {
            "tcp_port": 0,  # off: it would be open to every network
            "udp_port": free_port("udp", port),
            "enable_loopback_candidate": True,
            "ips": {"includes": ["127.0.0.1/32"]},
            "use_external_ip": False,
        },
    }
    return ServerProcess(
        [str(binary), "--dev", "--bind", host, "--node-ip", "127.0.0.1", "--config-body", json.dumps(config)],
        host,
        port,
        log,
        {"LIVEKIT_KEYS": json.dumps({key: secret})},
    )


def free_port(kind: Literal["tcp", "udp"], wanted: int) -> int:
    """A port of 127.0.0.1 that is free now: `wanted`, else any. UserError where none is free."""
    sort = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    for port in (wanted if wanted < 65536 else 0, 0):
        with socket.socket(socket.AF_INET, sort) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise UserError(f"No {kind} port is free on 127.0.0.1, and the local LiveKit server needs one.")


async def speaks_http(host: str, port: int, within_s: float) -> bool:
    """Whether a server on host:port answers an HTTP request within that time, as a LiveKit server does."""
    with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), within_s)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            return (await asyncio.wait_for(reader.readexactly(5), within_s)) == b"HTTP/"
        finally:
            writer.close()
    return False
