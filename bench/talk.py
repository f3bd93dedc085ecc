"""How the bot of `make talk` does on a real server: `python -m bench.talk [--turns 12]`.

The exit code is 1 where a goal is missed.

The caller says an utterance of about two seconds, waits for the bot's first sound, listens for a moment, and talks over
it. The same barge-in is then measured with the mock, as in `bench.barge_in`, on the same server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.live_call import LISTEN_S, PIECE_MS, SPEECH_S, Record, probe, record, silence
from bench.measures import Result, measure
from bench.stall_meter import Gap, StallMeter, touched
from bench.stamps import SILENT_RMS, Doors
from tests.e2e.caller import Caller
from tests.e2e.talk import voiced
from tests.speech import vowel
from webapi.voice_node.config import load_settings
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server
from webapi.voice_node.room.tokens import mint

SAID = "A table for four on Friday, please."
QUIET_RMS = 200.0  # int16; what is below it after the last word is the voice's own silence
WAIT_GOAL_S, MEMORY_GOAL_MB, BUSY_GOAL_MS, RATIO_GOAL = 2.0, 700.0, 20.0, 1.5
PAUSE_S = 0.5  # of silence before the next utterance
GREETED_S = 60.0
LEAST = 0.5  # of the turns must be left


@dataclass(frozen=True)
class Turn:
    """A turn as the caller saw it, in monotonic seconds, and the node's line of it."""

    done_s: float  # the last sample of the utterance was pushed
    sound_s: float  # the bot's first sound came
    spoke_s: float  # the first sample of the barge-in was pushed
    silent_s: float  # the bot was silent
    line: dict[str, Any]


@dataclass
class Talked:
    """All that was noted of a call."""

    turns: list[Turn] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)  # by process
    busy: dict[str, Any] = field(default_factory=dict)  # what talk_probe printed

    @property
    def kept(self) -> list[Turn]:
        """The turns without a stall."""
        return [turn for turn in self.turns if not touched(self.gaps, turn.done_s - 3, turn.silent_s)]


def trimmed(pcm: bytes) -> bytes:
    """48 kHz PCM without the silence at its end."""
    samples: NDArray[np.int16] = np.frombuffer(pcm, "<i2")
    pieces = samples[: len(samples) // 480 * 480].reshape(-1, 480).astype(float)
    loud = np.flatnonzero(np.sqrt((pieces**2).mean(axis=1)) > QUIET_RMS)
    return samples[: (int(loud[-1]) + 1) * 480].tobytes()


@asynccontextmanager
async def node(url: str, room: str, talked: Talked) -> AsyncIterator[int]:
    """The node in its own process. Yields its id."""

    def take(told: Any) -> None:
        if isinstance(told, list):
            talked.gaps.append((told[0], told[1]))
        else:
            talked.busy = told

    async with probe("bench.talk_probe", url, room, take) as process:
        yield process.pid


def family(pid: int) -> Iterator[int]:
    """A process and those that it has started, on Linux."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def memory_mb(pid: int) -> dict[str, float]:
    """The proportional set size of a process and of those that it has started, by program."""
    found: dict[str, float] = {}
    for each in family(pid):
        command = Path(f"/proc/{each}/cmdline").read_bytes().decode().split("\0")
        name = next((known for known in ("whisper_worker", "piper") if any(known in word for word in command)), "node")
        lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        found[name] = (
            found.get(name, 0.0) + sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
        )
    return found


async def talk(turns: int, url: str, talked: Talked) -> None:
    """One call with so many turns."""
    room = f"bench-{random.randrange(1 << 32):08x}"  # noqa: S311 - a name
    token = mint(load_settings(None, livekit_url=url), "caller", room)
    utterance = trimmed((await voiced([SAID]))[SAID])
    doors = Doors()
    console = Console()
    async with node(url, room, talked) as pid, Caller(url, token, bot="ingobot", piece_ms=PIECE_MS) as caller:
        with StallMeter(talked.gaps.append):
            await caller.wait_for(
                lambda: [event for event in caller.events if event["event"] == "turn"],
                "the end of the greeting",
                GREETED_S,
            )
            for number in range(1, turns + 1):
                talked.turns.append(await one_turn(caller, doors, utterance))
                turn = talked.turns[-1]
                console.print(
                    f"{number}/{turns}: first sound after {(turn.sound_s - turn.done_s) * 1000:.0f} ms", style="dim"
                )
        talked.memory_mb = memory_mb(pid)


async def one_turn(caller: Caller, doors: Doors, utterance: bytes) -> Turn:
    """An utterance, the first sound of the reply, and a barge-in."""
    while True:  # until the bot is silent and nothing is to come
        await caller.wait_for_silence(PAUSE_S)
        begun = [event["trace_id"] for event in caller.events if event["event"] == "reply_started"]
        over = [event["trace_id"] for event in caller.events if event["event"] == "turn"]
        if set(begun) <= set(over):
            break
    told = len(caller.events)
    done_s = await said(caller, doors, utterance)
    sound_s = await caller.wait_for_sound(since_s=done_s[-1])
    await asyncio.sleep(random.uniform(*LISTEN_S))  # noqa: S311 - a chance moment
    spoken = await said(caller, doors, vowel(SPEECH_S))
    silent_s = await caller.wait_for(lambda: silence(caller.heard, spoken[0]), "silence of the bot")
    cut = await caller.wait_for_event("barge_in", after=told)
    line = await caller.wait_for_event("turn", after=told, trace_id=cut["trace_id"])
    await caller.wait_for_event("speech_ended", after=told, trace_id=cut["by"])
    await caller.wait_for_event("turn", after=told, trace_id=cut["by"])
    return Turn(done_s[-1], sound_s, spoken[0], silent_s, line)


async def said(caller: Caller, doors: Doors, pcm: bytes) -> list[float]:
    """Say it. Returns when each piece that is no silence was pushed."""
    doors.pushed.clear()
    caller.heard.clear()
    await caller.say(pcm)
    return [at_s for at_s, level in doors.pushed if level > SILENT_RMS]


async def run(turns: int, console: Console) -> tuple[Talked, Record]:
    """The bot, and then the mock, on one server."""
    url, talked = f"ws://127.0.0.1:{free_port('tcp', 0)}", Talked()
    async with dev_server(url, say=console.print):
        await talk(turns, url, talked)
        mock = await record(turns, url, lambda line: console.print(f"mock {line}", style="dim"))
    return talked, mock


def show(console: Console, talked: Talked, mock: Result) -> list[str]:
    """Print all figures. Returns the goals that were missed."""
    kept = talked.kept
    waits = [turn.sound_s - turn.done_s for turn in kept]
    stops = [(turn.silent_s - turn.spoke_s) * 1000 for turn in kept]
    memory, busy = sum(talked.memory_mb.values()), float(talked.busy["busy_ms"])
    ratio = median(stops) / mock.median("silence")
    table = Table(title=f"{len(kept)} turns; dropped for stalls: {len(talked.turns) - len(kept)}")
    table.add_column("")
    for column in ("median", "most", "goal"):
        table.add_column(column, justify="right")
    table.add_row("caller's end → first sound, s", f"{median(waits):.2f}", f"{max(waits):.2f}", f"≤ {WAIT_GOAL_S:g}")
    for name in dict.fromkeys(part["name"] for turn in kept for part in turn.line["parts"]):
        ms = [sum(part["ms"] for part in turn.line["parts"] if part["name"] == name) for turn in kept]
        table.add_row(f"  of it {name}, ms", f"{median(ms):.0f}", f"{max(ms):.0f}", "")
    table.add_row("barge-in → silent, ms", f"{median(stops):.0f}", f"{max(stops):.0f}", "")
    flushed = [turn.line["barge_in_stop_ms"] for turn in kept]
    table.add_row("  of it until the node's flush, ms", f"{median(flushed):.0f}", f"{max(flushed):.0f}", "")
    others = mock.values("silence")
    table.add_row("the same with the mock, ms", f"{median(others):.0f}", f"{max(others):.0f}", "")
    table.add_row("ratio", f"{ratio:.2f}", "", f"≤ {RATIO_GOAL:g}")
    for name, megabytes in talked.memory_mb.items():
        table.add_row(f"memory of {name}, MB", "", f"{megabytes:.0f}", "")
    table.add_row("memory in all, MB", "", f"{memory:.0f}", f"≤ {MEMORY_GOAL_MB:g}")
    table.add_row("loop kept by one callback, ms", "", f"{busy:.1f}", f"≤ {BUSY_GOAL_MS:g}")
    console.print(table)
    console.print(f"The callback: {talked.busy['where']}, {talked.busy['wall_ms']:.1f} ms of wall time", soft_wrap=True)
    reached = {
        "wait": median(waits) <= WAIT_GOAL_S,
        "memory": memory <= MEMORY_GOAL_MB,
        "loop": busy <= BUSY_GOAL_MS,
        "barge-in": ratio <= RATIO_GOAL,
    }
    return [name for name, is_reached in reached.items() if not is_reached]


def main(turns: Annotated[int, typer.Option(min=2, help="How many turns.")] = 12) -> None:
    """Measure the bot of `make talk`."""
    console = Console()
    talked, mock = asyncio.run(run(turns, console))
    kept, compared = talked.kept, measure(mock)
    if len(kept) < LEAST * len(talked.turns) or not compared.turns:
        console.print(f"Only {len(kept)} of {len(talked.turns)} turns are left: this says nothing.")
        raise typer.Exit(1)
    missed = show(console, talked, compared)
    for name in missed:
        console.print(f"Missed: {name}")
    raise typer.Exit(bool(missed))


if __name__ == "__main__":
    typer.run(main)
