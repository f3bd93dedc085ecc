"""Thirty calls over two LiveKit nodes and three workers: `python -m bench.cluster`. Exit code 1 where a goal is missed.

The calls arrive one after another and are dispatched. While they talk, one worker is killed and another one drained.
Callers say something every 30 s, so that two cores carry thirty of them, and each utterance must have its turn.
"""

from __future__ import annotations

import asyncio
import math
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.cluster_caller import Caller, Said
from deploy.cluster.programs import Worker
from deploy.cluster.running import Running, cluster
from tests.e2e.process import json_lines
from webapi.voice_node.errors import PrintLine

AGENT = "bench"
# A worker's limit, as a part of all calls and beside the late ones: where one is killed and one drains, the third must
# have a place for all that come to it. LiveKit's node affinity is the sum of (target load - load) over a node's
# workers: one alone at its node gets no call until the others are half full.
MAX_CALLS_PART = 0.7
LATE_CALLS = 2  # that come while a worker drains
ARRIVE_S = 0.5  # between two calls
BACK_GOAL_S = 10.0
HEARD = ("completed", "barged_in", "superseded")  # the caller's own next words end a reply, too
READY_S = 60.0
END_S = 15.0  # for a drained worker to end after its last call
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Times:
    """How long things take, in seconds."""

    pause_s: float = 30.0  # between two utterances of a caller, on the average
    talk_s: float = 25.0  # before the kill, after it and while the other worker drains


@dataclass(frozen=True)
class Outcome:
    """What was seen."""

    spread: dict[str, int]  # calls of each worker, once all had arrived
    answered_s: list[float]  # from a call's arrival until a bot had published its track
    killed: str
    back_s: list[float]  # of its calls: from the kill until another bot had published
    not_back: int
    left: int  # callers who lost their room
    drained: str
    drained_calls: int
    drained_said: list[Said]  # by its callers, from SIGTERM on
    drained_code: int
    drained_end_s: float  # from when its last caller hung up
    others_said: list[Said]
    late_calls: dict[str, int]  # calls that came while it drained


async def until(look: Callable[[], bool], what: str, within_s: float) -> None:
    """Wait until `look` is true. Raises TimeoutError."""
    end_s = time.monotonic() + within_s
    while not look():
        if time.monotonic() > end_s:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(0.1)


class Talkers:
    """Callers who say something every `pause_s`, each at moments of their own."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, caller: Caller) -> None:
        """Let this one talk."""
        self._tasks[caller.room_name] = asyncio.create_task(self._talk(caller))

    async def end(self, caller: Caller) -> None:
        """Let them finish what they say, and hang up."""
        task = self._tasks.pop(caller.room_name)
        task.cancel()
        await asyncio.wait([task])
        await caller.leave()

    async def _talk(self, caller: Caller) -> None:
        await asyncio.sleep(random.uniform(0, self._pause_s))  # noqa: S311 - a chance moment
        while True:
            if caller.bot:
                saying = asyncio.ensure_future(caller.say())
                try:
                    await asyncio.shield(saying)
                except asyncio.CancelledError:
                    await saying
                    raise
            await asyncio.sleep(random.uniform(0.7, 1.3) * self._pause_s)  # noqa: S311


def rooms_of(worker: Worker) -> set[str]:
    """The rooms whose calls it took."""
    return {line["room"] for line in json_lines(worker.log_file) if line.get("event") == "call_taken"}


async def arrive(running: Running, names: list[str], talkers: Talkers) -> list[Caller]:
    """So many calls, one after another, at the nodes in turns. Returns when a bot listens to each."""
    callers = []
    for number, name in enumerate(names):
        caller = Caller(running.nodes[number % len(running.nodes)].url, name, AGENT, running.keys)
        await caller.join()
        callers.append(caller)
        await asyncio.sleep(ARRIVE_S)
    await until(lambda: all(caller.bot for caller in callers), "a bot in each call", READY_S)
    for caller in callers:
        talkers.begin(caller)
    return callers


async def scenario(running: Running, calls: int, times: Times, say: PrintLine) -> Outcome:
    """The calls arrive, one worker is killed, another one drained."""
    prefix, talkers = f"cluster-{random.randrange(1 << 32):08x}", Talkers(times.pause_s)  # noqa: S311 - a name
    callers = await arrive(running, [f"{prefix}-{number}" for number in range(calls)], talkers)
    answered_s = [caller.bots[0][0] - caller.joined_s for caller in callers]
    taken = {worker.name: rooms_of(worker) for worker in running.workers}
    say(f"{calls} calls: {', '.join(f'{name} has {len(rooms)}' for name, rooms in taken.items())}")
    await asyncio.sleep(times.talk_s)

    by_calls = sorted(running.workers, key=lambda worker: len(taken[worker.name]))
    killed, drained = by_calls[-1], by_calls[-2]
    theirs = [caller for caller in callers if caller.room_name in taken[killed.name]]
    killed_s = time.monotonic()
    killed.kill()
    say(f"killed {killed.name} with {len(theirs)} calls")
    try:
        await until(lambda: all(caller.back_s(killed_s) for caller in theirs), "another bot in each of them", READY_S)
    except TimeoutError as error:
        say(str(error))
    back_s = [back for caller in theirs if (back := caller.back_s(killed_s)) is not None]
    say(f"answered again after {min(back_s, default=0):.1f} to {max(back_s, default=0):.1f} s")
    await asyncio.sleep(times.talk_s)

    # Of a call that was rescued the last one who took it serves it.
    rescued = {line["room"] for line in json_lines(drained.log_file) if line.get("event") == "call_taken"}
    its = [caller for caller in callers if caller.room_name in rescued]
    drain_s = time.monotonic()
    drained.terminate()
    say(f"draining {drained.name} with {len(its)} calls")
    late = await arrive(running, [f"{prefix}-late-{number}" for number in range(LATE_CALLS)], talkers)
    await asyncio.sleep(times.talk_s + times.pause_s)
    await asyncio.gather(*(talkers.end(caller) for caller in its))
    hung_up_s = time.monotonic()
    code = await drained.ended(END_S)
    ended_s = time.monotonic() - hung_up_s
    rest = [caller for caller in (*callers, *late) if caller not in its]
    await asyncio.gather(*(talkers.end(caller) for caller in rest))
    return Outcome(
        spread={name: len(rooms) for name, rooms in taken.items()},
        answered_s=answered_s,
        killed=killed.name,
        back_s=back_s,
        not_back=len(theirs) - len(back_s),
        left=sum(caller.lost for caller in (*callers, *late)),
        drained=drained.name,
        drained_calls=len(its),
        drained_said=[said for caller in its for said in caller.said if said.at_s >= drain_s],
        drained_code=code,
        drained_end_s=ended_s,
        others_said=[said for caller in rest for said in caller.said if not near(said, killed_s, caller)],
        late_calls={
            worker.name: sum(caller.room_name in rooms_of(worker) for caller in late) for worker in running.workers
        },
    )


def near(said: Said, killed_s: float, caller: Caller) -> bool:
    """Whether it was said to a bot that was killed meanwhile, or was not yet replaced."""
    back = caller.back_s(killed_s)
    return said.at_s < killed_s + (back or READY_S) and said.at_s > killed_s - 10


def missed(seen: Outcome) -> list[str]:
    """The goals that are missed, in words."""
    slowest_s = max(seen.back_s, default=0.0)
    late = [f"a call of the killed worker was answered again after {slowest_s:.1f} s, goal {BACK_GOAL_S:g}"]
    return [*wrong(seen), *(late if slowest_s > BACK_GOAL_S else ())]


def wrong(seen: Outcome) -> list[str]:
    """What must not happen, however long the rest takes, in words."""
    lost = [said for said in seen.drained_said if said.outcome not in HEARD]
    checks = {
        f"{seen.not_back} calls of the killed worker were not answered again": seen.not_back > 0,
        f"{seen.left} callers lost their room": seen.left > 0,
        f"the drained worker lost {len(lost)} of {len(seen.drained_said)} turns": bool(lost) or not seen.drained_said,
        f"the drained worker has exit code {seen.drained_code}": seen.drained_code != 0,
        f"the drained worker took {seen.late_calls[seen.drained]} new calls": seen.late_calls[seen.drained] > 0,
    }
    return [what for what, is_so in checks.items() if is_so]


def told(seen: Outcome) -> str:
    """What was seen, in lines."""
    of_others = Counter(said.outcome for said in seen.others_said)
    waits = sorted(seen.answered_s)
    return "\n".join((
        f"spread: {', '.join(f'{name} {count}' for name, count in seen.spread.items())}",
        f"a bot is there {waits[len(waits) // 2]:.1f} s after the arrival (median), {waits[-1]:.1f} s at most",
        f"killed {seen.killed}: {len(seen.back_s)} calls answered again within {max(seen.back_s, default=0):.1f} s, "
        f"{seen.not_back} not; {seen.left} callers lost their room",
        f"drained {seen.drained}: {seen.drained_calls} calls, {len(seen.drained_said)} turns, "
        f"{dict(Counter(said.outcome for said in seen.drained_said))}; exit code {seen.drained_code}, "
        f"{seen.drained_end_s:.1f} s after the last call; new calls went to {seen.late_calls}",
        f"all others: {dict(of_others)}",
    ))  # fmt: skip


async def run(calls: int, folder: Path, times: Times, say: PrintLine) -> Outcome:
    """The whole run."""
    settings = {
        "LK_AGENT_NAME": AGENT,
        "MAX_CALLS": math.ceil(MAX_CALLS_PART * calls) + LATE_CALLS,
        "VAD_BACKEND": "webrtc",
        "ECHO_CANCEL": "never",
        "MOCK_REPLY": "tone:0.8",
        "DRAIN_TIMEOUT_S": 300,
        "RECORD_DIR": "off",
    }
    has_prometheus = shutil.which("prometheus") is not None
    async with cluster(folder, settings=settings, prometheus=has_prometheus, say=say) as running:
        return await scenario(running, calls, times, say)


def main(
    calls: Annotated[int, typer.Option(min=3, help="How many calls.")] = 30,
    keep: Annotated[Path | None, typer.Option(help="A folder for all files of the cluster.")] = None,
) -> None:
    """Run a cluster, kill one worker and drain another one while calls talk."""
    console = Console()
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        seen = asyncio.run(run(calls, folder, Times(), lambda line: console.print(line, style="dim")))
        console.print(told(seen))
        files = sorted(str(path) for path in folder.glob("worker-*/metrics.jsonl"))
        report = [sys.executable, "-m", "webapi.voice_node.main", "report", *files]
        console.print(subprocess.run(report, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    for line in missed(seen):
        console.print(f"Missed: {line}")
    raise typer.Exit(1 if missed(seen) else 0)


if __name__ == "__main__":
    typer.run(main)
