"""What metrics and traces cost for a call that talks all the time, in processor time: `python -m bench.monitor`.

A turn every four seconds, with a barge-in in each fourth; the timer that measures the loop's lag; a scrape every 15
seconds. Each part is run many times, alone, and computed for a second of the call. The goal is 0.2 % of a core for the
metrics.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.node.monitor.stories import line
from tests.test_metrics import MS, A, B, answered
from webapi.voice_node.events import BargeIn, PlaybackEnded, ReplyCut, ReplyEnded, SpeechStarted
from webapi.voice_node.node.monitor.loop_lag import EVERY_S
from webapi.voice_node.node.monitor.monitor import Monitor
from webapi.voice_node.node.traces.call_trace import Traces

GOAL = 0.002  # of a core
TURN_S = 4.0
SCRAPE_S = 15.0
IDLE_S = 5.0
BARGED = [
    *answered(A),
    SpeechStarted(2600 * MS, B, 2500 * MS),
    BargeIn(2600 * MS, A, B, 2500 * MS),
    ReplyCut(2600 * MS, A, "barged_in"),
    PlaybackEnded(2601 * MS, A, 475, False),
]
WHOLE = [*answered(A), ReplyEnded(2900 * MS, A, "completed"), PlaybackEnded(3200 * MS, A, 1075, True)]
EVENTS = [WHOLE, WHOLE, WHOLE, BARGED]


def seconds_of(act: Callable[[], object], times: int) -> float:
    """The processor time of one `act`, in seconds."""
    act()
    began_s = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - began_s) / times


def of_turns(monitor: Monitor) -> float:
    """The processor time of four turns."""

    def four() -> None:
        for events in EVENTS:
            for event in events:
                monitor.on_event(event)
            monitor.on_turn(line(barge_in_stop_ms=101.0))

    return seconds_of(four, 2000)


def of_lag(monitor: Monitor) -> float:
    """The processor time that the timer takes in a second: of an idle loop, less that of one without the timer."""

    async def idle(watched: bool) -> float:
        stop = monitor.watch_loop(asyncio.get_running_loop()) if watched else lambda: None
        began_s = time.process_time()
        await asyncio.sleep(IDLE_S)
        stop()
        return time.process_time() - began_s

    return max(0.0, asyncio.run(idle(True)) - asyncio.run(idle(False))) / IDLE_S


def of_traces() -> float:
    """The processor time of the spans of four turns, with the thread that passes them on."""
    traces = Traces(BatchSpanProcessor(InMemorySpanExporter()), "node-1")
    call = traces.call("s-1", "default", 0, words=False)

    def four() -> None:
        for events in EVENTS:
            for event in events:
                call(event)

    return seconds_of(four, 500)


def main() -> int:
    """Print the shares of a core. Returns 1 where the goal is missed."""
    monitor = Monitor(max_calls=10)
    turns = of_turns(monitor) / (len(EVENTS) * TURN_S)
    lag = of_lag(monitor)
    scrapes = seconds_of(monitor.text, 200) / SCRAPE_S
    traces = of_traces() / (len(EVENTS) * TURN_S)
    rows = (
        ("events and turns of a call", turns),
        (f"the lag of the loop, each {EVERY_S:g} s", lag),
        (f"/metrics, each {SCRAPE_S:g} s", scrapes),
    )
    for name, share in (*rows, ("metrics in all", turns + lag + scrapes), ("traces of a call", traces)):
        print(f"{name:32} {share:9.4%} of a core")
    return 0 if turns + lag + scrapes <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
