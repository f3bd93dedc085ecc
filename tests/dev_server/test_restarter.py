"""A local server that ends by itself is started again, but not for ever."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import cast

import pytest

from tests.dev_server.programs import program, run
from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.dev_server.process import ServerProcess, free_port
from webapi.voice_node.dev_server.restarter import MOST, WITHIN_S, keep_running
from webapi.voice_node.errors import UserError


class Server:
    """A server that serves for so many seconds after each start, the first of which was before; 0: it can't start."""

    def __init__(self, *serving_s: float) -> None:
        self._serving_s = list(serving_s)
        self._until_s = 0.0
        self.starts = -1
        self.start()

    def start(self) -> None:
        self.starts += 1
        self._until_s = asyncio.get_running_loop().time() + self._serving_s[min(self.starts, len(self._serving_s) - 1)]

    async def answers(self) -> None:
        if not await self.serves():
            raise UserError("The local LiveKit server did not start.")

    async def serves(self) -> bool:
        return asyncio.get_running_loop().time() < self._until_s

    def last_words(self) -> str:
        return "out of luck"


async def keep(server: Server, for_s: float) -> None:
    """Keep it running for that time. Raises UserError where it is given up."""
    keeping = asyncio.create_task(keep_running(cast(ServerProcess, server)))
    await asyncio.wait([keeping], timeout=for_s)
    if keeping.done():
        keeping.result()
    keeping.cancel()
    await asyncio.wait([keeping])


def test_a_server_that_ends_is_started_again() -> None:
    async def main() -> None:
        server = Server(10, 1e9)
        await keep(server, 1000)
        assert server.starts == 1

    run_virtual(main())


@pytest.mark.parametrize("serving_s", [0.0, 0.1, WITHIN_S / MOST - 1])
def test_one_that_ends_again_and_again_is_given_up(serving_s: float) -> None:
    async def main() -> None:
        server = Server(serving_s)
        with pytest.raises(UserError, match=r"has ended 4 times within 60 s\.\nout of luck"):
            await keep(server, 1000)
        assert server.starts == MOST

    run_virtual(main())


def test_one_that_ends_now_and_then_is_started_for_ever() -> None:
    async def main() -> None:
        server = Server(WITHIN_S / MOST + 1)
        await keep(server, 1000)
        assert server.starts > 40

    run_virtual(main())


def test_a_process_that_has_ended_is_started_again_on_the_same_log(bare_machine: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        ends = program(bare_machine, "ends", "echo here")
        server = ServerProcess([str(ends)], "127.0.0.1", free_port("tcp", 0), tmp_path / "log")
        for _ in range(2):
            server.start()
            with pytest.raises(UserError, match="did not start"):
                await server.answers()
            assert not server.runs
            assert server.last_words().startswith("  here")
        await server.stop()

    run(scenario())


def test_the_keeper_outlives_the_signals_that_are_for_the_node(bare_machine: Path, tmp_path: Path) -> None:
    """systemd sends SIGTERM to all processes of a service; the server is to end after the node has left its room."""

    async def scenario() -> None:
        here, told = tmp_path / "here", tmp_path / "told"
        body = f"trap 'echo > {told}; exit' TERM\necho > {here}\nwhile :; do sleep 0.05; done"
        server = ServerProcess(
            [str(program(bare_machine, "mute", body))], "127.0.0.1", free_port("tcp", 0), tmp_path / "log"
        )
        server.start()
        while not here.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        assert server._keeper is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(server._keeper.pid, number)
        assert server.runs
        assert not told.exists()
        await server.stop()
        assert told.exists()

    run(scenario())
