"""Whether `barge_in_stop_ms` shows that the node stood still: `python -m bench.stall`. Exit code 1 where it does not.

A caller talks over the bot. Meanwhile the node stands still: its loop alone (something in it blocks), or the whole
process (SIGSTOP, as where the machine takes the processor away). The caller measures two times from the first sample
that it pushes:

told    to the node's message that the reply was cut, which it sends as soon as it has flushed the bot's audio
silent  to the last sound of the bot

Both are more than `barge_in_stop_ms` by a path that does not change: the caller's voice to the node, and for `silent`
the bot's back. The path is the median of the difference in turns without a stall. What is left should be what the node
says, within GOAL_MS. `silent` has no goal where the whole process stood still: the bot's audio stopped too and then
came in a burst, so the caller's jitter buffer has grown, and plays the bot for longer after the flush.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from bench.live_call import PIECE_MS, Record, node, silence
from bench.stall_meter import Gap, StallMeter, touched
from bench.stamps import SILENT_RMS, Doors
from tests.e2e.caller import Caller
from tests.speech import vowel
from webapi.voice_node.config import load_settings
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server
from webapi.voice_node.room.tokens import mint

SPEECH_S = 1.2  # longer than the longest stall and the frames of the rule after it
LISTEN_S = (1.5, 2.0)  # how long the caller listens to a reply before it talks over it: any time between
GOAL_MS = 30.0  # how far the node's number may be from the caller's
TRIES = 4  # for each turn that is wanted
WAY_IN_MS = 140  # by then the node has heard the first of the voice: 61 to 117 ms were measured
IN_BUFFER_MS = 50  # by then the first of the voice is in the node's jitter buffer, and has not come out
LENGTHS_MS = (100, 300, 450)

Kind = Literal["none", "loop", "process"]


@dataclass(frozen=True)
class Stall:
    """What the node is made to do, and when: so long after the caller's first sample was pushed."""

    kind: Kind
    ms: int = 0
    after_ms: int = 0

    def __str__(self) -> str:
        if self.kind == "none":
            return "not"
        return f"{self.kind}, {self.ms} ms, from {self.after_ms} ms on"


STALLS = (
    Stall("none"),
    *(Stall("loop", ms, 0) for ms in LENGTHS_MS),
    *(Stall("loop", ms, WAY_IN_MS) for ms in LENGTHS_MS),
    *(Stall("process", ms, WAY_IN_MS) for ms in LENGTHS_MS),
    *(Stall("process", ms, 0) for ms in LENGTHS_MS),
    *(Stall("process", ms, IN_BUFFER_MS) for ms in LENGTHS_MS),
)


@dataclass(frozen=True)
class Turn:
    """A barge-in, ms."""

    stall: Stall
    node: float  # barge_in_stop_ms
    told: float
    silent: float


@dataclass(frozen=True)
class Row:
    """The turns with one stall: medians, ms. `told` and `silent` are without their paths."""

    stall: Stall
    turns: int
    node: float
    told: float
    silent: float

    @property
    def apart(self) -> list[float]:
        """How far the node's number is from what the caller measured; only where that has a goal."""
        return [self.node - each for each in [self.told] + ([self.silent] if self.stall.kind == "loop" else [])]

    @property
    def missed(self) -> bool:
        """It is too far."""
        return any(abs(each) > GOAL_MS for each in self.apart)


def rows(taken: Sequence[Turn]) -> list[Row]:
    """One for each stall that there are turns of."""
    calm = [turn for turn in taken if turn.stall.kind == "none"]
    told_path, silent_path = median(t.told - t.node for t in calm), median(t.silent - t.node for t in calm)
    found = []
    for stall in dict.fromkeys(turn.stall for turn in taken):
        of = [turn for turn in taken if turn.stall == stall]
        node, told, silent = median(t.node for t in of), median(t.told for t in of), median(t.silent for t in of)
        found.append(Row(stall, len(of), node, told - told_path, silent - silent_path))
    return found


def main(
    turns: Annotated[int, typer.Option(min=1, help="Barge-ins with each stall.")] = 5,
    url: Annotated[str | None, typer.Option(help="A LiveKit server with the dev key; without, one is started.")] = None,
) -> None:
    """Compare what the node says with what the caller measured, with the node standing still for 100, 300, 450 ms."""
    console = Console()
    taken = asyncio.run(take(turns, url, console))
    found = rows(taken)
    paths = [turn.told - turn.node for turn in taken if turn.stall.kind == "none"]
    shown = Table(title="barge-in: from the caller's voice to the flush, medians in ms")
    shown.add_column("the node stands still")
    for column in ("turns", "barge_in_stop_ms", "told, less path", "silent, less path", "apart"):
        shown.add_column(column, justify="right")
    for row in found:
        apart = " ".join(f"{each:+.0f}" for each in row.apart)
        numbers = (row.turns, row.node, row.told, row.silent)
        shown.add_row(str(row.stall), *(f"{number:.0f}" for number in numbers), apart)
    console.print(shown)
    console.print(f"The path of told was {min(paths):.0f} to {max(paths):.0f} ms: more on a busy machine.")
    for row in found:
        if row.missed:
            console.print(f"Missed: {row.stall}: too far apart")
    raise typer.Exit(1 if any(row.missed for row in found) else 0)


async def take(turns: int, url: str | None, console: Console) -> list[Turn]:
    """So many turns with each stall. One in which the caller's own process stood still is taken again."""
    room = f"bench-{random.randrange(1 << 32):08x}"  # noqa: S311 - a name
    at = url or f"ws://127.0.0.1:{free_port('tcp', 0)}"
    token = mint(load_settings(None, livekit_url=at), "caller", room)
    gaps, doors, taken = list[Gap](), Doors(), list[Turn]()
    async with dev_server(at, say=lambda line: console.print(line, style="dim")), node(at, room, Record()) as process:
        with StallMeter(gaps.append):
            wanted = list(STALLS * turns)  # in turn, as a machine is busy for a while and then calm
            for _ in range(TRIES * len(wanted)):
                if wanted:
                    began_s = time.monotonic()
                    async with Caller(at, token, bot="ingobot", piece_ms=PIECE_MS) as caller:
                        turn = await talk_over(caller, doors, process, wanted[0])
                    if not touched(gaps, began_s, time.monotonic()):
                        taken.append(turn)
                        wanted.pop(0)
    return taken


async def talk_over(caller: Caller, doors: Doors, process: asyncio.subprocess.Process, stall: Stall) -> Turn:
    """A call with one barge-in. Each has fresh jitter buffers: they take a minute to shrink after a stall."""
    await caller.wait_for_event("listening_to", identity="caller")
    since_s = time.monotonic()
    await caller.say(vowel(0.6))
    await caller.wait_for_sound(since_s=since_s)
    await asyncio.sleep(random.uniform(*LISTEN_S))  # noqa: S311 - a chance moment
    caller.heard.clear()
    caller.events.clear()
    doors.pushed.clear()
    stalling = asyncio.create_task(make_stall(doors, process, stall))
    told = asyncio.create_task(stamped(caller.wait_for_event("playback_ended")))
    await caller.say(vowel(SPEECH_S))
    spoke_s = spoken(doors)
    silent_s = await caller.wait_for(lambda: silence(caller.heard, spoke_s), "silence of the bot")
    await stalling
    line = await caller.wait_for_event("turn", outcome="barged_in")
    return Turn(stall, line["barge_in_stop_ms"], (await told - spoke_s) * 1000, (silent_s - spoke_s) * 1000)


async def stamped(waiting: Awaitable[object]) -> float:
    """When it happened."""
    await waiting
    return time.monotonic()


async def make_stall(doors: Doors, process: asyncio.subprocess.Process, stall: Stall) -> None:
    """Let the node stand still, at its time."""
    assert process.stdin is not None
    while not spoken(doors):  # noqa: ASYNC110 - what notes it is no coroutine
        await asyncio.sleep(0.001)
    await asyncio.sleep(spoken(doors) + stall.after_ms / 1000 - time.monotonic())
    if stall.kind == "loop":
        process.stdin.write(f"{stall.ms / 1000}\n".encode())
    elif stall.kind == "process":
        os.kill(process.pid, signal.SIGSTOP)
        await asyncio.sleep(stall.ms / 1000)
        os.kill(process.pid, signal.SIGCONT)


def spoken(doors: Doors) -> float:
    """When the caller's first sample was pushed; 0.0 where none was yet."""
    return next((at_s for at_s, level in doors.pushed if level > SILENT_RMS), 0.0)


if __name__ == "__main__":
    typer.run(main)
