"""How busy a worker is: by its calls, and by what its loop and its processors measure."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress

import psutil  # livekit-agents needs it too

EVERY_S = 1.0
WINDOW = 5  # samples that count
LATE_S = 0.1  # a loop that is late by this much on average is full: the bot's replies are 400 ms ahead of the room
BUSY = 0.9  # a share of the processors, or of the loop's thread, at which no further call fits


OPEN = (
    0.65  # the most that is reported while there is room: LiveKit gives no call from its `agents.target_load` of 0.7 on
)


def reported_load(calls: int, limit: int, pressure: float) -> float:
    """The load that a worker reports: 0 to OPEN in proportion, and 1 where it takes no call."""
    busy = max(calls / limit, pressure)
    return 1.0 if busy >= 1.0 else busy * OPEN


class Pressure:
    """Measures in the running loop, every EVERY_S. `value` is the mean of the last WINDOW samples; at 1 it is too much.

    A sample is the greatest of: the loop's lateness as a part of LATE_S, the share of time in which the loop's thread
    computes and that in which all processors of the machine that the worker may use compute for it, as parts of BUSY.
    `children`: processes that the worker has started count too.
    """

    def __init__(self, processors: float, *, children: bool) -> None:
        self._processors = max(processors, 0.1)
        self._children = children
        self._samples: deque[float] = deque(maxlen=WINDOW)
        self._process = psutil.Process()

    @property
    def value(self) -> float:
        """The pressure now; 0 before the first sample."""
        samples = tuple(self._samples)  # it may be read in another thread
        return sum(samples) / len(samples) if samples else 0.0

    async def run(self) -> None:
        """Measure until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began_s, thread_s, all_s = loop.time(), time.thread_time(), self._used_s()
            await asyncio.sleep(EVERY_S)
            passed_s = loop.time() - began_s
            self.add(passed_s, passed_s - EVERY_S, time.thread_time() - thread_s, self._used_s() - all_s)

    def add(self, passed_s: float, late_s: float, thread_s: float, used_s: float) -> None:
        """Note a sample: seconds that passed, the loop's lateness, processor seconds of its thread and of all."""
        thread, processors = thread_s / passed_s, used_s / passed_s / self._processors
        self._samples.append(max(0.0, late_s / LATE_S, thread / BUSY, processors / BUSY))

    def _used_s(self) -> float:
        """The processor seconds that the worker has used so far."""
        used = time.process_time()
        for child in self._process.children(recursive=True) if self._children else ():
            with suppress(psutil.Error):  # it has just ended
                times = child.cpu_times()
                used += times.user + times.system
        return used
