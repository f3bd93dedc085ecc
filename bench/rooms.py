"""What a call costs in a process that serves many rooms: `python -m bench.rooms`. Exit code 1 where a goal is missed.

A real server, the callers in a process of their own, and for each step a process of one of the variants, which take
turns: it serves so many rooms, a caller talks in each, and what the process used meanwhile is noted. The cost of a
further call is the slope over the number of calls. In one step of each variant nobody is in the rooms.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.answered import Sentence, sentences, share, turns_of
from bench.rooms_probe import CYCLE_S, REPLY_S, Sample
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server

ROOT = Path(__file__).parent.parent
SETTLE_S = 6.0  # after the callers have come: subscriptions, their first sentences, the bot's first words
ANSWERED_S = REPLY_S + 1.0  # after a sentence its reply is over
END_S = 10.0
GOALS = {"needed": (9.0, 8.0), "never": (7.5, 8.0)}  # % of a core, MB
LATE_GOAL_MS = 10.0
TURNS_GOAL = 0.98  # below that, the process did not do all of the work that was measured


@dataclass(frozen=True)
class Step:
    """What a variant's process used while so many callers talked."""

    variant: str
    calls: int
    cpu: float  # % of a core
    callers_cpu: float
    machine_cpu: float
    late_ms: tuple[float, float, float]  # median, 99th percentile, worst
    turns: float  # of the sentences that the callers said, how many are a turn
    pss_mb: float
    threads: int
    files: int
    sockets: int
    kb_s: float  # through the loopback interface, all programs


class Process:
    """A process of the bench that answers each line with a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ask(self, line: str) -> Any:
        """Send a line, and return the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n".encode())
        return json.loads(await asyncio.wait_for(self.process.stdout.readline(), 60))

    async def sample(self) -> Sample:
        """The process now."""
        return Sample(**await self.ask("sample"))

    async def said(self, rooms: list[str], from_s: float, to_s: float) -> list[Sentence]:
        """What the callers in these rooms have said since this was asked last: see `sentences`."""
        return sentences(await self.ask("said"), rooms, from_s, to_s)


@asynccontextmanager
async def started(checkout: Path, *command: str) -> AsyncIterator[Process]:
    """A program in a process of its own, with the code of a checkout; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        limit=1 << 24,  # an answer is a line
    )
    assert process.stdin is not None
    try:
        yield Process(process)
        process.stdin.close()
        await asyncio.wait_for(process.wait(), END_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def machine() -> tuple[float, float]:
    """CPU seconds that all programs have used, and KB through the loopback interface."""
    ticks = [int(number) for number in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    lines = Path("/proc/net/dev").read_text().splitlines()
    received = next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))
    busy = sum(ticks[:3]) + sum(ticks[5:7])
    return busy / os.sysconf("SC_CLK_TCK"), received / 1024


def cpu_of(pid: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Bench:
    """What all steps share."""

    url: str
    callers: Process
    prefix: str

    async def step(self, variant: str, checkout: Path, rooms: int, calls: int) -> Step:
        """A process of a variant serves so many rooms, and callers talk in so many of them."""
        prefix = f"{self.prefix}-{random.randrange(1 << 32):08x}"  # noqa: S311 - a name
        probe = (str(ROOT / "bench/rooms_probe.py"), variant.rpartition(":")[2], self.url, prefix, str(rooms))
        async with started(checkout, *probe) as node:
            await node.sample()
            names = [f"{prefix}-{number}" for number in range(calls)]
            await self.callers.ask(json.dumps(names))
            await asyncio.sleep(SETTLE_S)
            before, callers_s, (machine_s, kb) = await node.sample(), cpu_of(self.callers.process.pid), machine()
            await asyncio.sleep(CYCLE_S)
            after, (machine_after_s, kb_after) = await node.sample(), machine()
            callers_after_s = cpu_of(self.callers.process.pid)
            if calls:
                await asyncio.sleep(ANSWERED_S)
            said = await self.callers.said(names, before.at_s, after.at_s)
            turns = turns_of(after.turns + (await node.sample()).turns)
        lasted_s = after.at_s - before.at_s
        return Step(
            variant,
            calls,
            100 * (after.cpu_s - before.cpu_s) / lasted_s,
            100 * (callers_after_s - callers_s) / lasted_s,
            100 * (machine_after_s - machine_s) / lasted_s,
            after.late_ms,
            share(said, turns) if variant != "bare" else 1.0,  # it has none
            after.pss_mb,
            after.threads,
            after.files,
            after.sockets,
            (kb_after - kb) / lasted_s,
        )


async def measure(variants: dict[str, Path], numbers: list[int], minutes: float, console: Console) -> list[Step]:
    """All steps. `variants`: the checkout of each, whose name is what rooms_probe takes, behind a `:` if there is one.

    Rounds in which each variant has each number of calls, in another order, until the time is over.
    """
    url = f"ws://127.0.0.1:{free_port('tcp', 0)}"
    steps: list[Step] = []
    loop = asyncio.get_running_loop()
    began_s, rounds = loop.time(), 0
    async with dev_server(url, say=console.print), started(ROOT, "-m", "bench.rooms_callers", url) as callers:
        bench = Bench(url, callers, "bench")
        while not rounds or (loop.time() - began_s) * (rounds + 1) / rounds < 60 * minutes:
            for calls in (0, *numbers):
                for variant in random.sample(list(variants), len(variants)):
                    step = await bench.step(variant, variants[variant], calls or max(numbers), calls)
                    steps.append(step)
                    line = f"{variant}, {calls}: {step.cpu:.1f} %, p99 {step.late_ms[1]:.1f} ms, {step.pss_mb:.0f} MB"
                    console.print(f"{line}; turns {step.turns:.2f}; machine {step.machine_cpu:.0f} %", style="dim")
            rounds += 1
        await callers.ask("[]")
    return steps


@dataclass(frozen=True)
class Cost:
    """Of one variant: what a further call costs."""

    variant: str
    cpu: float  # % of a core
    first_cpu: float  # the fewest calls
    idle_cpu: float  # of a room in which nobody is
    mb: float
    first_mb: float
    late_p50_ms: float  # with most calls
    late_p99_ms: float
    turns: float  # the fewest of any step
    threads: float
    files: float
    sockets: float
    callers_cpu: float
    kb_s: float


def cost(variant: str, steps: list[Step]) -> Cost:
    """Medians, and slopes of medians over the number of calls."""
    own = [step for step in steps if step.variant == variant]
    numbers = sorted({step.calls for step in own if step.calls})

    def at(field: str, calls: int) -> float:
        return float(median(getattr(step, field) for step in own if step.calls == calls))

    def slope(field: str) -> float:
        return float(np.polyfit(numbers, [at(field, calls) for calls in numbers], 1)[0]) if numbers[1:] else 0.0

    most = [step for step in own if step.calls == numbers[-1]]
    return Cost(
        variant=variant,
        cpu=slope("cpu"),
        first_cpu=at("cpu", numbers[0]),
        idle_cpu=at("cpu", 0) / numbers[-1],
        mb=slope("pss_mb"),
        first_mb=at("pss_mb", numbers[0]),
        late_p50_ms=median(step.late_ms[0] for step in most),
        late_p99_ms=median(step.late_ms[1] for step in most),
        turns=min(step.turns for step in own),
        threads=slope("threads"),
        files=slope("files"),
        sockets=slope("sockets"),
        callers_cpu=slope("callers_cpu"),
        kb_s=slope("kb_s"),
    )


def table(costs: list[Cost], calls: int) -> Table:
    """All variants side by side."""
    shown = Table(title=f"A further talking call; how late the loop is with {calls}")
    for column in ("", "% core", "ratio", "first", "idle", "MB", "first", "p50 ms", "p99 ms", "turns", "fds", "KB/s"):
        shown.add_column(column, justify="right")
    for each in costs:
        shown.add_row(
            each.variant,
            f"{each.cpu:.1f}",
            f"{each.cpu / costs[0].cpu:.2f}" if costs[0].cpu else "",  # of one number of calls there is no slope
            f"{each.first_cpu:.1f}",
            f"{each.idle_cpu:.1f}",
            f"{each.mb:.1f}",
            f"{each.first_mb:.0f}",
            f"{each.late_p50_ms:.1f}",
            f"{each.late_p99_ms:.1f}",
            f"{each.turns:.2f}",
            f"{each.files:.1f}",
            f"{each.kb_s:.0f}",
        )
    return shown


def missed(costs: list[Cost]) -> list[str]:
    """The goals that are missed, in words."""
    found = []
    for each in costs:
        if each.variant in GOALS:
            for name, is_, goal in zip(("% of a core", "MB"), (each.cpu, each.mb), GOALS[each.variant], strict=True):
                if is_ > goal:
                    found.append(f"{each.variant}: {is_:.1f} {name}, goal {goal:g}")
            if each.late_p99_ms > LATE_GOAL_MS:
                found.append(f"{each.variant}: the loop {each.late_p99_ms:.1f} ms late at p99, goal {LATE_GOAL_MS:g}")
            if each.turns < TURNS_GOAL:
                found.append(f"{each.variant}: {each.turns:.2f} of the sentences were a turn, goal {TURNS_GOAL:g}")
    return found


def main(
    rooms: Annotated[list[int], typer.Option(help="Numbers of calls; several times.")] = [1, 3, 6],  # noqa: B006
    minutes: Annotated[float, typer.Option(help="How long; at least one round.")] = 4.0,
    before: Annotated[Path | None, typer.Option(help="Another checkout, measured beside this one.")] = None,
    only: Annotated[list[str], typer.Option(help="Of bare, needed and never, only these.")] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="A folder for rooms.json.")] = Path("bench/out"),
) -> None:
    """Measure what a further talking call costs the process that serves it."""
    console = Console()
    names = only or ["bare", "needed", "never"]
    variants = dict.fromkeys(names, ROOT)
    if before:
        variants |= {f"before:{name}": before.resolve() for name in names if name != "bare"}
    steps = asyncio.run(measure(variants, sorted(rooms), minutes, console))
    costs = [cost(variant, steps) for variant in variants]
    console.print(table(costs, max(rooms)))
    out.mkdir(parents=True, exist_ok=True)
    said = {"costs": [asdict(each) for each in costs], "steps": [asdict(step) for step in steps]}
    (out / "rooms.json").write_text(json.dumps(said, indent=1) + "\n")
    for line in missed(costs):
        console.print(f"Missed: {line}")
    raise typer.Exit(1 if missed(costs) else 0)


if __name__ == "__main__":
    typer.run(main)
