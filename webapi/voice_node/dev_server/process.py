"""One LiveKit server as a child of this process: on loopback alone, and never longer there than the node."""

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

START_S = 30.0  # it answers after 0.1 s, in Docker after some; a machine that is busy may need longer
STOP_S = 1.5  # what is still ending then ends by itself: the keeper goes on without us


class ServerProcess:
    """A command that serves LiveKit on host:port, started, awaited, stopped; again and again if need be.

    `log` takes all that it prints, from the last start on. Nothing else holds the server, so it ends with us.
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
        """Start it, and don't wait: `answers` does. UserError where its log can't be written."""
        if self._keeper is not None:
            raise RuntimeError("it runs already")
        with self._open_log() as log:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own command
                kept(self._command),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                # Ctrl-C is for the node, which leaves its room first.
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

    async def answers(self, within_s: float = START_S) -> None:
        """Return when the server answers. UserError with its last words where it ended, or took too long."""
        until_s = time.monotonic() + within_s
        while not await speaks_http(self.host, self.port, 1.0):
            if self._keeper is None or self._keeper.poll() is not None:
                raise UserError(f"The local LiveKit server did not start.\n{self._last_words()}")
            if time.monotonic() > until_s:
                raise UserError(f"The local LiveKit server gave no answer within {within_s:g} s.\n{self._last_words()}")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End it, its participants with it, in STOP_S at most."""
        if self._keeper is not None:
            self._close_pipe()
            await asyncio.to_thread(self._wait)

    def kill(self) -> None:
        """End it at once, as a crash would: nobody is told."""
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

    def _last_words(self) -> str:
        said = self.log.read_text("utf-8", errors="replace").strip().splitlines()
        return f"{last(said)}\nAll that it said is in {self.log}."


def livekit(binary: Path, host: str, port: int, key: str, secret: str, log: Path) -> ServerProcess:
    """The server of a livekit-server binary, for `host` alone, a loopback address; its media goes through UDP there.

    `--bind` alone binds the signalling only; media would come and go through every network of the machine, or,
    where there is none, not at all. The key goes through the environment: a command line can be seen by all.
    """
    config = {
        "port": port,
        "logging": {"level": "info"},  # --dev alone logs megabytes a minute
        "rtc": {
            "tcp_port": 0,  # it would be open to every network
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
    """A port of 127.0.0.1 that nobody has now: the wanted one, else any."""
    sort = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    for port in (wanted if wanted < 65536 else 0, 0):
        with socket.socket(socket.AF_INET, sort) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise UserError(f"No {kind} port is free on 127.0.0.1, and the local LiveKit server needs one.")


async def speaks_http(host: str, port: int, within_s: float) -> bool:
    """Whether something on host:port answers an HTTP request; a LiveKit server does."""
    with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), within_s)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            return (await asyncio.wait_for(reader.readexactly(5), within_s)) == b"HTTP/"
        finally:
            writer.close()
    return False
