"""What a talking call costs in each way to serve many, beside livekit-agents: `python -m bench.side_by_side`.

`rooms` is `voice-node run --rooms`; `loop`, `thread` and `process` are `voice-node worker` with that executor; `agents`
is `bench.agents_bot`: the same job by livekit-agents alone. All take turns in one run, at one server, with the callers
of `bench.rooms`. Processor time and memory are those of a program with all that it has started. The cost of a further
call is the slope from one call to more. The echo canceller is off, as livekit-agents has none. Exit code 1 where
ours costs more.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer
from livekit import api
from rich.console import Console
from rich.table import Table

from bench.answered import share, turns_of
from bench.executors import megabytes
from bench.rooms import ANSWERED_S, ROOT, Process, started
from bench.rooms_probe import CYCLE_S, REPLY_S
from tests.e2e.process import json_lines
from webapi.voice_node.config import DEV_KEY, DEV_SECRET
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server

VARIANTS = ("rooms", "loop", "thread", "process", "agents")
OURS = ("rooms", "loop")  # the ways that must be cheaper than livekit-agents
AGENT = "bench"
READY_S, SETTLE_S, END_S = 90.0, 6.0, 10.0
READY = {"rooms": b"metrics on", "agents": b"Ready"}  # for the others too: b"Ready"


@dataclass(frozen=True)
class Step:
    """What a variant used while so many callers talked."""

    variant: str
    calls: int
    cpu: float  # % of a core
    mb: float
    turns: float  # of the sentences that the callers said, how many are a turn


@asynccontextmanager
async def program(variant: str, url: str, prefix: str, folder: Path, calls: int) -> AsyncIterator[psutil.Process]:
    """The variant's program, ready; it ends with the block. Its turns are the lines of `folder`/metrics.jsonl."""
    node = ("-m", "webapi.voice_node.main")
    command = {
        "rooms": (*node, "run", "--rooms", f"{prefix}-*", "--no-page", "--no-dev-server"),
        "agents": ("-m", "bench.agents_bot", url, AGENT, str(folder / "metrics.jsonl")),
    }.get(variant, (*node, "worker", "--agent-name", AGENT, "--executor", variant))
    settings = {
        "LIVEKIT_URL": url,
        "MAX_CALLS": str(max(calls, 2)),
        "MOCK_REPLY": f"tone:{REPLY_S}",
        "ECHO_CANCEL": "never",
        "MONITOR_PORT": "0",
        "LOG_FILE": "off",
        "METRICS_FILE": str(folder / "metrics.jsonl"),
        "PYTHONPATH": str(ROOT),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while READY.get(variant, b"Ready") not in (line := await asyncio.wait_for(process.stdout.readline(), READY_S)):
            if not line:
                raise RuntimeError(f"{variant} did not start")
        reading = asyncio.create_task(_drain(process.stdout))
        yield psutil.Process(process.pid)
        reading.cancel()
    finally:
        os.killpg(process.pid, 9)
        await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass


def used_s(process: psutil.Process) -> float:
    """Processor seconds of a process and all that it has started."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


async def step(variant: str, calls: int, url: str, callers: Process) -> Step:
    """So many callers talk, and the variant serves them."""
    prefix = f"side-{random.randrange(1 << 32):08x}"  # noqa: S311 - a name
    rooms = [f"{prefix}-{number}" for number in range(calls)]
    folder = Path(tempfile.mkdtemp())
    try:
        async with program(variant, url, prefix, folder, calls) as process:
            await callers.ask(json.dumps(rooms))
            if variant != "rooms":
                async with api.LiveKitAPI(url, DEV_KEY, DEV_SECRET) as server:
                    for room in rooms:
                        request = api.CreateAgentDispatchRequest(agent_name=AGENT, room=room)
                        await server.agent_dispatch.create_dispatch(request)
            await asyncio.sleep(SETTLE_S)
            began_s, cpu_s = time.monotonic(), used_s(process)
            await asyncio.sleep(2 * CYCLE_S)
            ended_s = time.monotonic()
            cpu, mb = 100 * (used_s(process) - cpu_s) / (ended_s - began_s), megabytes(process)
            await asyncio.sleep(ANSWERED_S)
            said = await callers.said(rooms, began_s, ended_s)
            return Step(variant, calls, cpu, mb, share(said, turns_of(json_lines(folder / "metrics.jsonl"))))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measure(variants: list[str], numbers: list[int], rounds: int, console: Console) -> list[Step]:
    """All steps: in each round each variant with each number of calls, in another order."""
    url = f"ws://127.0.0.1:{free_port('tcp', 0)}"
    steps = []
    async with dev_server(url, say=console.print), started(ROOT, "-m", "bench.rooms_callers", url) as callers:
        for _ in range(rounds):
            for calls in numbers:
                for variant in random.sample(variants, len(variants)):
                    steps.append(await step(variant, calls, url, callers))
                    console.print(str(steps[-1]), style="dim")
        await callers.ask("[]")
    return steps


@dataclass(frozen=True)
class Cost:
    """Of one variant."""

    variant: str
    cpu: float  # % of a core for a further call
    mb: float  # for a further call
    first_cpu: float
    first_mb: float
    turns: float


def cost(variant: str, steps: list[Step]) -> Cost:
    """Medians, and slopes of medians."""
    own = [each for each in steps if each.variant == variant]
    few, many = min(each.calls for each in own), max(each.calls for each in own)

    def at(field: str, calls: int) -> float:
        return float(median(getattr(each, field) for each in own if each.calls == calls))

    more = max(1, many - few)
    return Cost(
        variant,
        (at("cpu", many) - at("cpu", few)) / more,
        (at("mb", many) - at("mb", few)) / more,
        at("cpu", few),
        at("mb", few),
        median(each.turns for each in own),
    )


def main(
    calls: Annotated[list[int], typer.Option(help="Numbers of calls: few and many.")] = [1, 4],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1)] = 2,
    only: Annotated[list[str], typer.Option(help="Only these variants.")] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="A folder for side_by_side.json.")] = Path("bench/out"),
) -> None:
    """Measure what a further talking call costs each way to serve it."""
    console = Console(width=100)
    variants = only or list(VARIANTS)
    costs = [
        cost(variant, steps)
        for steps in [asyncio.run(measure(variants, sorted(calls), rounds, console))]
        for variant in variants
    ]
    by_name = {each.variant: each for each in costs}
    agents = by_name.get("agents")
    shown = Table(title="A further talking call")
    for column in ("", "% of a core", "of agents", "MB", "of agents", "first %", "first MB", "turns"):
        shown.add_column(column, justify="right")
    for each in costs:
        ratios = ("", "")
        if agents and agents.cpu and agents.mb:  # of one number of calls there is no slope
            ratios = (f"{each.cpu / agents.cpu:.2f}", f"{each.mb / agents.mb:.2f}")
        numbers = (f"{each.cpu:.1f}", ratios[0], f"{each.mb:.1f}", ratios[1])
        shown.add_row(each.variant, *numbers, f"{each.first_cpu:.0f}", f"{each.first_mb:.0f}", f"{each.turns:.2f}")
    console.print(shown)
    out.mkdir(parents=True, exist_ok=True)
    (out / "side_by_side.json").write_text(json.dumps([asdict(each) for each in costs], indent=1) + "\n")
    missed = [
        name for name in OURS if agents and len(set(calls)) > 1 and name in by_name
        if by_name[name].cpu >= agents.cpu or by_name[name].mb >= agents.mb
    ]  # fmt: skip
    for name in missed:
        console.print(f"Missed: {name} costs more than livekit-agents")
    raise typer.Exit(1 if missed else 0)


if __name__ == "__main__":
    typer.run(main)
