"""What a call costs a worker in each executor: `python -m bench.executors`. Exit code 1 where a goal is missed.

A real server and, for each executor, a worker that gets calls one after another. For each call: the time from its
dispatch to the bot's published track. And the memory of the worker with its processes, with all calls in progress and
nobody talking; the memory of a further call is the slope.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer
from livekit import api, rtc

from webapi.voice_node.config import load_settings
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server
from webapi.voice_node.room.tokens import mint

EXECUTORS = ("loop", "thread", "process")
AGENT = "bench"
READY_S, ANSWER_S, SETTLE_S = 90.0, 60.0, 4.0
GOAL_MS, GOAL_MB = 1500.0, 12.0  # of the default: a call's first track, and its memory


def megabytes(process: psutil.Process) -> float:
    """The proportional set size of a process and of those that it has started."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            lines = Path(f"/proc/{each.pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


class Call:
    """A room with a listener, whose call is dispatched."""

    def __init__(self, url: str, room: str) -> None:
        self._url, self._name = url, room
        self._room = rtc.Room()
        self._published = asyncio.Event()
        self._room.on("track_published", lambda *_: self._published.set())

    async def begin(self, server: api.LiveKitAPI) -> float:
        """Dispatch it. The milliseconds until the bot's track was published."""
        settings = load_settings(None, livekit_url=self._url)
        await self._room.connect(self._url, mint(settings, "listener", self._name), rtc.RoomOptions(False))
        began_s = time.perf_counter()
        await server.agent_dispatch.create_dispatch(api.CreateAgentDispatchRequest(agent_name=AGENT, room=self._name))
        await asyncio.wait_for(self._published.wait(), ANSWER_S)
        return (time.perf_counter() - began_s) * 1000

    async def end(self) -> None:
        """Leave the room."""
        await self._room.disconnect()


async def measure(url: str, executor: str, calls: int) -> tuple[float, float, float]:
    """One executor: ms of the first call, median ms of the others, and MB of a further call."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("worker", "--agent-name", AGENT, "--executor", executor, "--max-calls", str(calls))
        environment = {**os.environ, "LIVEKIT_URL": url, "MONITOR_PORT": "0", "PYTHONPATH": os.getcwd()}  # noqa: PTH109
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "webapi.voice_node.main", *arguments,
            cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert program.stdout
        try:
            while b"Ready" not in await asyncio.wait_for(program.stdout.readline(), READY_S):
                pass
            process = psutil.Process(program.pid)
            began, memory = [], []
            async with AsyncExitStack() as ending:
                server = api.LiveKitAPI(url, "devkey", "secret")
                ending.push_async_callback(server.aclose)
                for number in range(calls):
                    call = Call(url, f"{executor}-{number}")
                    ending.push_async_callback(call.end)
                    began.append(await call.begin(server))
                    await asyncio.sleep(SETTLE_S)
                    memory.append(megabytes(process))
        finally:
            program.kill()
            await program.wait()
    print(f"  {executor}: ms {[round(each) for each in began]}, MB {[round(each) for each in memory]}")
    return began[0], median(began[1:]), (memory[-1] - memory[0]) / (calls - 1)


async def run(executors: list[str], calls: int) -> bool:
    """All executors. Whether the default one meets its goals."""
    url = f"ws://127.0.0.1:{free_port('tcp', 0)}"
    met = True
    async with dev_server(url, "devkey", "secret", enabled=True, say=print, on_gone=print):
        for executor in executors:
            first, others, each = await measure(url, executor, calls)
            print(f"{executor:<8} first {first:5.0f} ms, others {others:5.0f} ms, {each:5.1f} MB a call")
            if executor == "loop":
                met = others <= GOAL_MS and each <= GOAL_MB
    return met


def main(
    executor: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    calls: Annotated[int, typer.Option(min=2, help="Calls of each.")] = 8,
) -> None:
    """Measure, print, and exit with 1 where a goal is missed."""
    sys.exit(not asyncio.run(run(executor or list(EXECUTORS), calls)))


if __name__ == "__main__":
    typer.run(main)
