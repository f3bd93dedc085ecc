"""A live call: server, node and caller, each in a process of its own, and what the caller and the node noted of it."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.node_probe import Flush, Notes
from bench.stall_meter import Gap, StallMeter, touched
from bench.stamps import SILENT_RMS, Doors
from tests.e2e.caller import QUIET, Caller, Heard
from tests.speech import vowel
from webapi.voice_node.config import load_settings
from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server
from webapi.voice_node.errors import PrintLine
from webapi.voice_node.room.tokens import mint

ROOT = Path(__file__).parent.parent
SPEECH_S = 0.6
SPEECH = vowel(SPEECH_S)
LISTEN_S = (0.5, 1.0)  # how long the caller listens to a reply before it talks over it: any time between
HUSH_S = 0.3  # silence is what nothing louder comes after for so long
PIECE_MS = 10  # the microphone gives audio in such pieces, as a browser's does
END_S = 10.0  # for the node to end


@dataclass
class Turn:
    """A barge-in and the reply that follows, as the caller noted them; monotonic seconds."""

    spoke_s: float  # pushed the first sample of the speech that interrupts
    silent_s: float  # heard the first 10 ms below QUIET
    done_s: float  # pushed its last sample
    sound_s: float  # heard the first 10 ms above LOUD of the next reply
    around: list[tuple[float, float]]  # (ms since spoke_s, RMS) of what was heard around the cut


@dataclass
class Record:
    """All calls of a run."""

    turns: list[Turn] = field(default_factory=list)
    calls: int = 0
    gaps: list[Gap] = field(default_factory=list)  # stalls of the caller's process and of the node's
    notes: Notes = field(default_factory=Notes)


async def record(turns: int, url: str | None, say: PrintLine) -> Record:
    """Calls with so many barge-ins in all that no stall touched; three times as many are tried at most.

    With the server of `url`, or a local one of our own. A stall makes the jitter buffers of both sides grow, and they
    take a minute to shrink: the caller then hangs up, and calls again with fresh ones.
    """
    room = f"bench-{random.randrange(1 << 32):08x}"  # noqa: S311 - a name
    at = url or f"ws://127.0.0.1:{free_port('tcp', 0)}"
    token = mint(load_settings(None, livekit_url=at), "caller", room)
    noted, doors = Record(), Doors()
    async with dev_server(at, say=say), node(at, room, noted):
        with StallMeter(noted.gaps.append):
            while len(untouched(noted)) < turns and len(noted.turns) < 3 * turns:
                noted.calls += 1
                began_s = time.monotonic()
                async with Caller(at, token, bot="ingobot", piece_ms=PIECE_MS) as caller:
                    await talk(caller, doors, began_s, turns, noted, say)
    return noted


def untouched(noted: Record) -> list[Turn]:
    """The turns without a stall."""
    return [turn for turn in noted.turns if not touched(noted.gaps, turn.spoke_s, turn.sound_s)]


@asynccontextmanager
async def node(url: str, room: str, noted: Record) -> AsyncIterator[asyncio.subprocess.Process]:
    """The node in its own process. Its stalls are noted as they happen, and the rest when the block is over."""

    def take(told: Any) -> None:
        if isinstance(told, list):
            noted.gaps.append((told[0], told[1]))
        else:
            noted.notes = Notes(**{**told, "flushes": [Flush(**each) for each in told["flushes"]]})

    async with probe("bench.node_probe", url, room, take) as process:
        yield process


@asynccontextmanager
async def probe(
    module: str, url: str, room: str, take: Callable[[Any], None]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A module of the bench in its own process. `take` gets each value that it prints, until it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, url, room),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=1 << 26,  # bytes: the last line is long
    )
    assert process.stdin is not None
    assert process.stdout is not None
    reading = asyncio.create_task(_read(process.stdout, take))
    try:
        yield process
        process.stdin.close()
        await asyncio.wait_for(asyncio.gather(reading, process.wait()), END_S)
    finally:
        reading.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _read(lines: asyncio.StreamReader, take: Callable[[Any], None]) -> None:
    async for line in lines:
        take(json.loads(line))


async def talk(caller: Caller, doors: Doors, began_s: float, turns: int, noted: Record, say: PrintLine) -> None:
    """Say something, and talk over each reply, so that the next one follows; until a stall, or there are enough."""
    await caller.wait_for_event("listening_to", identity="caller")
    since_s = time.monotonic()
    await caller.say(SPEECH)
    await caller.wait_for_sound(since_s=since_s)
    while len(untouched(noted)) < turns and not touched(noted.gaps, began_s, time.monotonic()):
        caller.heard.clear()
        await asyncio.sleep(random.uniform(*LISTEN_S))  # noqa: S311 - a chance moment
        turn = await talk_over(caller, doors)
        noted.turns.append(turn)
        stalled = ", but the machine stood still" if touched(noted.gaps, turn.spoke_s, turn.sound_s) else ""
        say(f"{len(untouched(noted))}/{turns}: silent after {(turn.silent_s - turn.spoke_s) * 1000:.0f} ms{stalled}")


async def talk_over(caller: Caller, doors: Doors, speech: bytes = SPEECH) -> Turn:
    """One barge-in, and the reply to it."""
    doors.pushed.clear()
    await caller.say(speech)
    spoken = [at_s for at_s, level in doors.pushed if level > SILENT_RMS]
    spoke_s, done_s = spoken[0], spoken[-1]
    silent_s = await caller.wait_for(lambda: silence(caller.heard, spoke_s), "silence of the bot")
    sound_s = await caller.wait_for_sound(since_s=max(silent_s, done_s))
    around = [((h.at_s - spoke_s) * 1000, h.rms) for h in caller.heard if -0.1 <= h.at_s - spoke_s <= 0.5]
    return Turn(spoke_s, silent_s, done_s, sound_s, around)


def silence(heard: list[Heard], since_s: float) -> float:
    """When the first 10 ms came from which on it was quiet for HUSH_S; 0 where that has not happened since."""
    began_s = 0.0
    for each in heard:
        if each.at_s < since_s or each.rms > QUIET:
            began_s = 0.0
        elif not began_s:
            began_s = each.at_s
        if began_s and each.at_s - began_s >= HUSH_S:
            return began_s
    return 0.0
