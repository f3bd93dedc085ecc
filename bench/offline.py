"""How fast the offline parts are: recognition and voice for an utterance of two seconds, and the memory they hold.

python -m bench.offline [ROUNDS]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np
import soxr

from webapi.voice_node.converse.offline.recogniser import Recogniser
from webapi.voice_node.converse.offline.voice import Voice

SAID = "A table for four on Friday, please."
ANSWER = "On Friday. At what time?"
LONG = "So that is a table for four people on Friday, at half past seven in the evening, for Miller. Is that right?"
RATE_HZ = 8000
ROUNDS = 20


def megabytes(pid: int | None) -> float:
    """Memory of a process that it shares with no other, on Linux; 0 elsewhere."""
    path = Path(f"/proc/{pid}/smaps_rollup")
    if not path.exists():
        return 0.0
    kilobytes = [int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith("Private")]
    return sum(kilobytes) / 1024


async def timed(work: Callable[[], Awaitable[object]], rounds: int) -> str:
    """Median and longest of the rounds, in ms."""
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        await work()
        found.append((time.perf_counter() - begun) * 1000)
    return f"{statistics.median(found):6.0f} ms median, {max(found):6.0f} ms at most"


async def longest_stall(stop: asyncio.Event) -> float:
    """The most processor time in ms that the loop's thread took in a row: a stall of the machine is not in it."""
    longest, before = 0.0, time.thread_time()
    while not stop.is_set():
        await asyncio.sleep(0.001)
        now = time.thread_time()
        longest, before = max(longest, now - before), now
    return longest * 1000


async def main(rounds: int) -> None:
    stop = asyncio.Event()
    stall = asyncio.create_task(longest_stall(stop))
    voice, recogniser, guessing = Voice(keep_s=0), Recogniser(keep_s=0), Recogniser(keep_s=0, interim_s=0.7)
    begun = time.perf_counter()
    await asyncio.gather(voice.open(), recogniser.open())
    print(f"both opened, models loaded      {(time.perf_counter() - begun) * 1000:6.0f} ms")
    speech = b"".join([piece async for piece in voice.speak(SAID)])
    caller = soxr.resample(np.frombuffer(speech, "<i2"), voice.rate, RATE_HZ).astype("<i2").tobytes()
    print(f"the utterance                   {len(caller) / 2 / RATE_HZ:6.1f} s, {RATE_HZ} Hz: {SAID}")

    async def whole() -> AsyncIterator[bytes]:
        yield caller

    async def recognise() -> None:
        async for _ in recogniser.listen(whole(), RATE_HZ):
            pass

    async def first(text: str) -> None:
        async for _ in voice.speak(text):
            return

    print(f"recognised after                {await timed(recognise, rounds)}")
    print(f"first audio of a short answer   {await timed(lambda: first(ANSWER), rounds)}")
    print(f"first audio of a long answer    {await timed(lambda: first(LONG), rounds)}")
    print(f"after a live utterance          {await timed_live(recogniser, caller, rounds // 4)}")
    print(f"the same, with interim texts    {await timed_live(guessing, caller, rounds // 4)}")
    for name, pid in (("recogniser", recogniser.pid), ("voice", voice.pid)):
        print(f"memory of the {name:<18}{megabytes(pid):6.0f} MB")
    stop.set()
    print(f"most that the loop was busy      {await stall:6.1f} ms")
    await asyncio.gather(voice.aclose(), recogniser.aclose(), guessing.aclose())


async def timed_live(recogniser: Recogniser, caller: bytes, rounds: int) -> str:
    """From the end of an utterance that comes in real time to its text."""
    found = []
    for _ in range(rounds):
        ended = [0.0]

        async def live(ended: list[float] = ended) -> AsyncIterator[bytes]:
            for start in range(0, len(caller), 320):
                await asyncio.sleep(0.02)
                yield caller[start : start + 320]
            ended[0] = time.perf_counter()

        async for _ in recogniser.listen(live(), RATE_HZ):
            pass
        found.append((time.perf_counter() - ended[0]) * 1000)
    return f"{statistics.median(found):6.0f} ms median, {max(found):6.0f} ms at most"


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
