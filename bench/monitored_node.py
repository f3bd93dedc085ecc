"""A node with a monitor, and callers who talk to it all the time: `python -m bench.monitored_node NUMBER CALLS`.

Its sessions are those of `run`, without a room: callers' audio is put in as it would arrive. Now and then the
orchestrator fails, or blocks the loop, so that the panels of a dashboard have something to show. It prints the URL of
its monitor, and ends when standard input does.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

from loguru import logger

from tests.speech import silence, vowel
from webapi.voice_node.config import Settings, pinned_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.node.event_log import event_tap
from webapi.voice_node.node.loop_watch import LoopWatch, log_blocked
from webapi.voice_node.node.monitor.monitor import Monitor
from webapi.voice_node.node.monitor.server import MonitorServer
from webapi.voice_node.pipeline import Session
from webapi.voice_node.replay.sinks import NullSink
from webapi.voice_node.room.session_port import clock_us

PIECE_MS = 10
RATE_HZ = 48_000
TONE = vowel(0.02)[:320]
CHANCE = random.Random(1)  # noqa: S311 - nothing secret


class Varied:
    """An orchestrator with good and bad moments."""

    reply_rate = 8000

    def on_call_started(self, call: Any) -> None:
        """Keep the call, for its marks."""
        self._call = call

    async def get_audio_reply(self, trace_id: str, user_pcm: bytes) -> AsyncIterator[bytes]:
        """A second or two of sound, after the time that three parts take."""
        for part, least_s, more_s in (
            ("speech_to_text", 0.15, 0.2),
            ("llm_first_token", 0.2, 0.5),
            ("text_to_speech", 0.1, 0.1),
        ):
            await asyncio.sleep(least_s + more_s * CHANCE.random() ** 3)
            self._call.mark(trace_id, part)
        luck = CHANCE.random()
        if luck < 0.04:
            raise ConnectionError("the model is away")
        if luck < 0.08:
            time.sleep(0.3 + 0.2 * CHANCE.random())  # noqa: ASYNC251 - what a bad orchestrator does
        for _ in range(CHANCE.randrange(8, 20)):
            yield bytes(1600)

    def stop_playback(self, trace_id: str) -> None:
        """It fails now and then."""
        if CHANCE.random() < 0.2:
            raise ValueError("there is nothing to stop")


async def call(number: int, settings: Settings, monitor: Monitor, stop: asyncio.Event) -> None:
    """One caller after the other, until `stop`."""
    graph = load_graph("default", settings)
    while not stop.is_set():
        began_s, name = time.monotonic(), f"call-{number}-{CHANCE.randrange(1 << 30):x}"
        metrics = Metrics(name, name, graph.name, monitor.on_turn)
        session = Session(
            graph,
            settings=settings,
            sink=NullSink(),
            clock=clock_us,
            session_id=name,
            room=name,
            taps=[metrics, monitor.on_event, event_tap(name, name, clock_us())],
            on_failure=lambda error: logger.error(error),
        )
        monitor.call_started(CHANCE.choice(("standard", "sip")))
        until_s = began_s + 20 + 30 * CHANCE.random()
        while time.monotonic() < until_s and not stop.is_set():
            await say(session, vowel(0.4 + round(CHANCE.random(), 1)), stop)
            await say(session, silence(CHANCE.choice((1.2, 2.5, 4.0))), stop)  # the first is too short for the reply
        await session.close()
        metrics.close()
        monitor.call_ended(CHANCE.choice(("left", "left", "hung_up")), time.monotonic() - began_s)
        await asyncio.sleep(CHANCE.random())


async def say(session: Session, pcm: bytes, stop: asyncio.Event) -> None:
    """Let the caller's audio arrive, as fast as it is spoken."""
    size, due_s = RATE_HZ * PIECE_MS // 1000 * 2, time.monotonic()
    for at in range(0, len(pcm), size):
        if stop.is_set():
            return
        due_s += PIECE_MS / 1000
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        session.hear(pcm[at : at + size], RATE_HZ)


async def serve(number: int, calls: int) -> None:
    """Be the node until standard input ends."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    CHANCE.seed(number)
    settings = pinned_settings(
        monitor_port=0, orchestrator="bench.monitored_node:Varied", vad_backend="webrtc", max_calls=calls + 2
    )
    monitor = Monitor(max_calls=settings.max_calls)
    monitor.watch_log()
    monitor.watch_loop(loop)
    watch = LoopWatch(loop, log_blocked)
    watch.start()
    server = MonitorServer(settings, monitor)
    print(await server.start(), flush=True)
    monitor.not_ready(None)
    await asyncio.gather(*(call(each, settings, monitor, stop) for each in range(calls)))
    watch.stop()
    await server.stop()


if __name__ == "__main__":
    logger.remove()
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
