"""How busy a worker is: by its calls, and by what its loop and its processors measure."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

import psutil  # livekit-agents needs it too

EVERY_S = 1.0
WINDOW = 5  # samples that count
LATE_S = 0.1  # a loop that is late by this much on average is full: the bot's replies are 400 ms ahead of the room
BUSY = 0.9  # a share of the processors, or of the loop's thread, at which no further call fits
# The most that is reported while there is room: LiveKit gives no call from its `agents.target_load` of 0.7 on.
OPEN = 0.65

Pids: TypeAlias = Callable[[], Iterable[int]]


def reported_load(calls: int, limit: int, pressure: float) -> float:
    """The load that a worker reports: 0 to OPEN in proportion, and 1 where it takes no call."""
    busy = max(calls / limit, pressure)
    return 1.0 if busy >= 1.0 else busy * OPEN


class Pressure:
    """Measures in the running loop, every EVERY_S. `value` is the mean of the last WINDOW samples; at 1 it is too much.

    A sample is the greatest of: the loop's lateness as a part of LATE_S, the share of time in which the loop's thread
    computes and that in which all processors of the machine that the worker may use compute for it, as parts of BUSY.
    `pids`: see UsedTime.
    """

    def __init__(self, processors: float, pids: Pids = tuple) -> None:
        self._processors = max(processors, 0.1)
        self._used = UsedTime(pids)
        self._samples: deque[float] = deque(maxlen=WINDOW)

    @property
    def value(self) -> float:
        """The pressure now; 0 before the first sample."""
        samples = tuple(self._samples)  # it may be read in another thread
        return sum(samples) / len(samples) if samples else 0.0

    async def run(self) -> None:
        """Measure until it is cancelled."""
        loop = asyncio.get_running_loop()
        self._used.since_last()
        while True:
            began_s, thread_s = loop.time(), time.thread_time()
            await asyncio.sleep(EVERY_S)
            passed_s = loop.time() - began_s
            self.add(passed_s, passed_s - EVERY_S, time.thread_time() - thread_s, self._used.since_last())

    def add(self, passed_s: float, late_s: float, thread_s: float, used_s: float) -> None:
        """Note a sample: seconds that passed, the loop's lateness, processor seconds of its thread and of all."""
        thread, processors = thread_s / passed_s, used_s / passed_s / self._processors
        self._samples.append(max(0.0, late_s / LATE_S, thread / BUSY, processors / BUSY))


class UsedTime:
    """The processor time of this process and of the processes `pids` gives, those of calls.

    It does not look for processes: that reads files of every process of the machine, and would keep the loop.
    """

    def __init__(self, pids: Pids = tuple) -> None:
        self._pids = pids
        self._own_s = time.process_time()
        self._children: dict[int, tuple[psutil.Process, float]] = {}  # and the seconds that each had used

    def since_last(self) -> float:
        """The seconds that they have used since it was called last; those of a process that has just ended are lost."""
        before_s, self._own_s = self._own_s, time.process_time()
        used_s, before, self._children = self._own_s - before_s, self._children, {}
        for pid in self._pids():
            with suppress(psutil.Error):  # it has just ended
                child, child_s = before.get(pid) or (psutil.Process(pid), 0.0)
                times = child.cpu_times()
                self._children[pid] = child, times.user + times.system
                used_s += max(0.0, times.user + times.system - child_s)
        return used_s
