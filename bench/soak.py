"""Many rooms in one process for ten minutes: `python -m bench.soak --rooms 8`. Exit code 1 where a goal is missed.

`voice-node run --rooms` serves them, with the default graph and the echo canceller. In each room but one a caller of
`bench.rooms_callers` talks and interrupts. In one room a caller listens too, and measures each barge-in as
`bench.barge_in` does; first alone in the process, and then beside all others.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.answered import odd, turns_of
from bench.live_call import LISTEN_S, PIECE_MS, talk_over
from bench.rooms import ANSWERED_S, ROOT, TURNS_GOAL, Process, started
from bench.rooms_probe import REPLY_S
from bench.stall_meter import Gap, StallMeter, touched
from bench.stamps import Doors
from tests.e2e.caller import Caller
from tests.e2e.process import NodeProcess
from tests.speech import chatter
from webapi.voice_node.config import load_settings
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server
from webapi.voice_node.room.tokens import mint

SPEECH = chatter(0.8)
SAMPLE_S = 10.0
SETTLE_S = 10.0
ANSWER_S = 20.0  # for one barge-in
GROWTH_GOAL_MB = 5.0  # between the first and the last quarter
# Of a barge-in beside one room: in all, and in the node. The jitter buffers of both sides grow by 20 ms in a step where
# packets come unevenly, as they do on a machine that also carries the server and all callers.
ADDED_GOAL_MS, ADDED_IN_NODE_GOAL_MS = 40.0, 10.0
LATE_GOAL_MS = 10.0


@dataclass
class Phase:
    """So many rooms for some time."""

    rooms: int
    seconds: float = 0.0
    barge_ins_ms: list[float] = field(default_factory=list)  # from the caller's first sample to silence at the caller
    node_ms: list[float] = field(default_factory=list)  # of these, from the first voiced frame to the cleared queue
    stalled: int = 0  # barge-ins across a stall of the measuring process: not counted
    unanswered: int = 0
    memory_mb: list[float] = field(default_factory=list)  # every SAMPLE_S
    cpu: float = 0.0  # % of a core
    late_p99_ms: float = 0.0
    sentences: int = 0  # that were said in the other rooms
    odd: list[str] = field(default_factory=list)  # of these, those that are not a turn each
    stalls: int = 0
    stall_s: float = 0.0  # in the measuring process

    @property
    def turns(self) -> float:
        """Of the sentences, how many are a turn."""
        return 1 - len(self.odd) / max(1, self.sentences)

    @property
    def growth_mb(self) -> float:
        """How much more memory the last quarter used than the first."""
        quarter = max(1, len(self.memory_mb) // 4)
        return median(self.memory_mb[-quarter:]) - median(self.memory_mb[:quarter])


class Page:
    """The node's /metrics."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"
        self.buckets: dict[float, float] = {}  # of the loop's lag: upper bound → count so far
        self.cpu_s = self.memory_mb = 0.0

    async def read(self) -> None:
        """Read it again."""
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(self._url, timeout=10).read().decode())  # noqa: S310
        found = re.findall(r'^voice_node_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', text, re.MULTILINE)
        self.buckets = {float(bound): float(count) for bound, count in found}
        self.cpu_s = _value(text, "process_cpu_seconds_total")
        self.memory_mb = _value(text, "process_resident_memory_bytes") / 1e6


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def p99_ms(before: dict[float, float], after: dict[float, float]) -> float:
    """The upper bound of the bucket that has the 99th percentile of what came between."""
    counts = {bound: after[bound] - before.get(bound, 0.0) for bound in after}
    whole = max(counts.values(), default=0.0)
    return next((bound * 1000 for bound, count in sorted(counts.items()) if count >= 0.99 * whole), 0.0)


async def measure(caller: Caller, until_s: float, phase: Phase, gaps: list[Gap]) -> None:
    """Talk over each reply until then."""
    doors = Doors()
    while time.monotonic() < until_s:
        told, began_s = len(caller.events), time.monotonic()
        try:
            if not caller.heard or caller.heard[-1].rms < 500:
                await caller.say(SPEECH)
                await caller.wait_for_event("playback_started", after=told)
                await caller.wait_for_sound(since_s=began_s)
            caller.heard.clear()
            await asyncio.sleep(random.uniform(*LISTEN_S))  # noqa: S311 - a chance moment
            turn = await asyncio.wait_for(talk_over(caller, doors, SPEECH), ANSWER_S)
        except (AssertionError, asyncio.TimeoutError):
            phase.unanswered += not touched(gaps, began_s, time.monotonic())
            continue
        if touched(gaps, turn.spoke_s, turn.sound_s):
            phase.stalled += 1
        else:
            phase.barge_ins_ms.append((turn.silent_s - turn.spoke_s) * 1000)


async def watch(page: Page, node: NodeProcess, phase: Phase, minutes: float, measured_room: str) -> None:
    """Note what the process uses until the time is over."""
    await page.read()
    before, cpu_s, began_s, lines = page.buckets, page.cpu_s, time.monotonic(), len(node.metrics)
    while time.monotonic() - began_s < 60 * minutes:
        await asyncio.sleep(SAMPLE_S)
        await page.read()
        phase.memory_mb.append(page.memory_mb)
    phase.seconds = time.monotonic() - began_s
    phase.cpu = 100 * (page.cpu_s - cpu_s) / phase.seconds
    phase.late_p99_ms = p99_ms(before, page.buckets)
    measured = [line for line in node.metrics[lines:] if line["room"] == measured_room]
    phase.node_ms = [line["barge_in_stop_ms"] for line in measured if line["barge_in_stop_ms"] is not None]


async def run(rooms: int, minutes: float, folder: Path, console: Console) -> list[Phase]:
    """One room, for a quarter of the time; then all of them."""
    url, page = f"ws://127.0.0.1:{free_port('tcp', 0)}", Page(free_port("tcp", 0))
    prefix = f"soak-{random.randrange(1 << 32):08x}"  # noqa: S311 - a name
    node = NodeProcess(
        folder,
        url,
        "demo",
        *("run", "--rooms", f"{prefix}-*", "--no-dev-server"),
        MAX_CALLS=rooms,
        MONITOR_PORT=page._url.rsplit(":", 1)[1].split("/")[0],
        VAD_BACKEND="sierra",
        ECHO_CANCEL="needed",
        MOCK_REPLY=f"tone:{REPLY_S}",
        MOCK_THINK_MS=120,
        LOG_LEVEL="INFO",
    )
    measured_room = f"{prefix}-measured"
    token = mint(load_settings(None, livekit_url=url), "caller", measured_room)
    phases = []
    gaps: list[Gap] = []
    async with dev_server(url, say=console.print), started(ROOT, "-m", "bench.rooms_callers", url) as callers, node:
        with StallMeter(gaps.append):
            async with Caller(url, token, bot="ingobot", piece_ms=PIECE_MS) as caller:
                await caller.wait_for_event("listening_to", identity="caller")
                for number, lasts in ((1, minutes / 4), (rooms, minutes)):
                    phases.append(
                        await phase_of(number, lasts, prefix, measured_room, caller, callers, node, page, gaps)
                    )
                    for line in (row_of(phases[-1]), *(f"no turn: {each}" for each in phases[-1].odd)):
                        console.print(line, style="dim")
        await callers.ask("[]")
    return phases


async def phase_of(
    rooms: int,
    minutes: float,
    prefix: str,
    measured_room: str,
    caller: Caller,
    callers: Process,
    node: NodeProcess,
    page: Page,
    gaps: list[Gap],
) -> Phase:
    """Callers in so many rooms, the measuring one among them."""
    phase = Phase(rooms)
    names = [f"{prefix}-{number}" for number in range(rooms - 1)]
    await callers.ask(json.dumps(names))
    await asyncio.sleep(SETTLE_S)
    first_gap, began_s = len(gaps), time.monotonic()
    await asyncio.gather(
        watch(page, node, phase, minutes, measured_room), measure(caller, began_s + 60 * minutes, phase, gaps)
    )
    await asyncio.sleep(ANSWERED_S)
    said = await callers.said(names, began_s, began_s + phase.seconds)
    phase.sentences = len(said)
    for each in odd(said, turns_of(node.metrics)):
        stalled = ", across a stall" if touched(gaps, each.began_s, each.ended_s + ANSWERED_S) else ""
        phase.odd.append(f"{each.room}, {each.began_s - began_s:.1f} s{stalled}")
    stalls = gaps[first_gap:]
    phase.stalls, phase.stall_s = len(stalls), sum(end - start for start, end in stalls)
    return phase


def row_of(phase: Phase) -> str:
    """A phase in a line."""
    ms = phase.barge_ins_ms or [0.0]
    return (
        f"{phase.rooms} rooms, {phase.seconds / 60:.1f} min: {len(ms)} barge-ins, median {median(ms):.0f} ms, "
        f"p95 {np.percentile(ms, 95):.0f} ms, in the node {median(phase.node_ms or [0]):.0f} ms; "
        f"CPU {phase.cpu:.0f} %, loop p99 {phase.late_p99_ms:g} ms, "
        f"turns {phase.sentences - len(phase.odd)} of {phase.sentences}, unanswered {phase.unanswered}, "
        f"memory {phase.memory_mb[0]:.0f} → {phase.memory_mb[-1]:.0f} MB"
    )


def missed(one: Phase, many: Phase) -> list[str]:
    """The goals that are missed, in words."""
    found = []
    if not (one.barge_ins_ms and many.barge_ins_ms):
        return ["no barge-in was measured without a stall"]
    added = median(many.barge_ins_ms) - median(one.barge_ins_ms)
    in_node = median(many.node_ms or [0]) - median(one.node_ms or [0])
    for what, is_, goal in (
        ("ms more for a barge-in than with one room", added, ADDED_GOAL_MS),
        ("ms more of it in the node", in_node, ADDED_IN_NODE_GOAL_MS),
        ("MB more memory in the last quarter", many.growth_mb, GROWTH_GOAL_MB),
        ("ms that the loop is late at p99", many.late_p99_ms, LATE_GOAL_MS),
        ("of the sentences were no turn", 1 - many.turns, 1 - TURNS_GOAL),
        ("of the measured barge-ins had no answer", many.unanswered, 0),
    ):
        if is_ > goal:
            found.append(f"{is_:.3g} {what}, goal {goal:.3g}")
    return found


def table(phases: list[Phase]) -> Table:
    """Both phases side by side."""
    shown = Table(title="Many rooms in one process")
    columns = ("rooms", "min", "barge-ins", "stalled", "median ms", "p95", "node ms", "CPU %", "loop p99 ms", "turns")
    for column in (*columns, "growth MB", "stalls"):
        shown.add_column(column, justify="right")
    for each in phases:
        ms = each.barge_ins_ms or [0.0]
        shown.add_row(
            f"{each.rooms}",
            f"{each.seconds / 60:.1f}",
            f"{len(each.barge_ins_ms)}",
            f"{each.stalled}",
            f"{median(ms):.0f}",
            f"{np.percentile(ms, 95):.0f}",
            f"{median(each.node_ms or [0]):.0f}",
            f"{each.cpu:.0f}",
            f"{each.late_p99_ms:g}",
            f"{each.turns:.3f}",
            f"{each.growth_mb:.1f}",
            f"{each.stalls} ({each.stall_s:.1f} s)",
        )
    return shown


def main(
    rooms: Annotated[int, typer.Option(min=2, help="How many rooms.")] = 6,
    minutes: Annotated[float, typer.Option(help="How long with all of them; a quarter of it before, with one.")] = 10.0,
    out: Annotated[Path, typer.Option(help="A folder for soak.json.")] = Path("bench/out"),
) -> None:
    """Serve many rooms in one process for some minutes, and compare with one room."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        phases = asyncio.run(run(rooms, minutes, Path(folder), console))
    console.print(table(phases))
    out.mkdir(parents=True, exist_ok=True)
    (out / "soak.json").write_text(json.dumps([asdict(each) for each in phases], indent=1) + "\n")
    for line in missed(*phases):
        console.print(f"Missed: {line}")
    raise typer.Exit(1 if missed(*phases) else 0)


if __name__ == "__main__":
    typer.run(main)
