"""The node with the bot of `make talk`, in a process of its own: `python -m bench.talk_probe URL ROOM`.

It runs what `voice-node run --graph talk` runs, without page and log file, and ends when standard input does. It prints
lines of JSON: each stall as it happens, and at the end what kept the loop longest.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from asyncio.events import Handle
from dataclasses import asdict, dataclass
from typing import Any

from loguru import logger

from bench.node_probe import tell_stall
from bench.stall_meter import StallMeter
from webapi.voice_node.config import load_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.livekit_runner import LiveKitRunner
from webapi.voice_node.node.live_session import SessionFactory


@dataclass
class Busy:
    """What kept the loop's thread longest, by its processor time: no stall of the machine is in that."""

    busy_ms: float = 0.0
    wall_ms: float = 0.0
    where: str = ""


def name_of(callback: Any) -> str:
    """The coroutine of the task that a callback steps, or else the callback's name."""
    task = getattr(callback, "__self__", None)
    what = task.get_coro() if isinstance(task, asyncio.Task) else callback
    return str(getattr(what, "__qualname__", what))


class BusyMeter:
    """Times each callback of the event loop, by wrapping the one method that runs them all."""

    def __init__(self) -> None:
        self.longest = Busy()

    def install(self) -> None:
        """Begin, in this process and for good."""
        handle: Any = Handle  # Any: its method is replaced
        run = handle._run

        def timed(this: Handle) -> None:
            wall_s, busy_s = time.perf_counter(), time.thread_time()
            where = name_of(getattr(this, "_callback", None))  # the callback is gone afterwards, if it was cancelled
            run(this)
            busy_ms = (time.thread_time() - busy_s) * 1000
            if busy_ms > self.longest.busy_ms:
                self.longest = Busy(busy_ms, (time.perf_counter() - wall_s) * 1000, where)

        handle._run = timed


async def serve(url: str, room: str, meter: BusyMeter) -> None:
    """Be the node until standard input ends. What the start takes is not measured: nobody is in the room then."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    settings = load_settings(None, livekit_url=url, lk_room=room, vad_backend="webrtc")
    make_session = SessionFactory(load_graph("talk", settings), settings, lambda _: None)
    with StallMeter(tell_stall):
        running = asyncio.create_task(LiveKitRunner(settings, make_session).run(stop))
        await asyncio.sleep(0)
        meter.install()
        await running


def main() -> None:
    """Serve, then tell."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    meter = BusyMeter()
    url, room = sys.argv[1:]
    asyncio.run(serve(url, room, meter))
    print(json.dumps(asdict(meter.longest)))


if __name__ == "__main__":
    main()
