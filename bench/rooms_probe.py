"""Many rooms in one process, with its cost: `python bench/rooms_probe.py VARIANT URL PREFIX ROOMS`.

It serves the rooms PREFIX-0, PREFIX-1, … on one loop, until standard input ends. VARIANT is `bare` (the SDK alone: it
reads the caller, and publishes the same tones), or what ECHO_CANCEL is for the node. For each line on standard input
it prints a `Sample` as a line of JSON. It imports nothing of the bench, so that it can measure another checkout.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from livekit import rtc
from loguru import logger

from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.livekit_runner import LiveKitRunner
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.orchestrator_mock import tone
from webapi.voice_node.room.tokens import mint

TICK_S = 0.01  # of the timer that measures how late the loop is
REPLY_S = 2.5
# Of the callers' cycle (see rooms_callers.py), as the node answers it: from 1.75 s until it is cut, and from 4.75 s on.
BARE_TONES = ((1.75, 1.85), (4.75, REPLY_S))  # begins, lasts
CYCLE_S = 8.0
RATE_HZ, PIECE = 48_000, 960


@dataclass
class Sample:
    """What the process has cost so far, and how late its loop was since the sample before."""

    at_s: float = field(default_factory=time.monotonic)
    cpu_s: float = 0.0  # user and system, of all threads
    turns: list[dict[str, Any]] = field(default_factory=list)  # their lines of metrics.jsonl, since the sample before
    late_ms: tuple[float, float, float] = (0.0, 0.0, 0.0)  # median, 99th percentile, worst
    pss_mb: float = 0.0
    threads: int = 0
    files: int = 0
    sockets: int = 0


class Meter:
    """Takes samples of this process. `turns` is filled by others."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.turns: list[dict[str, Any]] = []
        self._loop = loop
        self._late_s: list[float] = []
        self._due_s = loop.time() + TICK_S
        loop.call_at(self._due_s, self._tick)

    def _tick(self) -> None:
        now_s = self._loop.time()
        self._late_s.append(now_s - self._due_s)
        self._due_s = now_s + TICK_S
        self._loop.call_at(self._due_s, self._tick)

    def sample(self) -> Sample:
        """Now."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        late, self._late_s = sorted(self._late_s) or [0.0], []
        turns, self.turns = self.turns, []
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        links = [link for path in Path("/proc/self/fd").iterdir() if (link := _link(path))]
        return Sample(
            cpu_s=used.ru_utime + used.ru_stime,
            turns=turns,
            late_ms=(late[len(late) // 2] * 1000, late[len(late) * 99 // 100] * 1000, late[-1] * 1000),
            pss_mb=next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024,
            threads=sum(1 for _ in Path("/proc/self/task").iterdir()),
            files=len(links),
            sockets=sum(link.startswith("socket:") for link in links),
        )


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # the listing's own
        return ""


def answer_lines(loop: asyncio.AbstractEventLoop, meter: Meter, stop: asyncio.Event) -> None:
    """Print a sample for each line on standard input, and set `stop` when it ends."""

    def answer() -> None:
        print(json.dumps(asdict(meter.sample())), flush=True)

    def read() -> None:
        for _ in sys.stdin:
            loop.call_soon_threadsafe(answer)
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=read, daemon=True).start()


async def serve_node(settings: Settings, room: str, meter: Meter, stop: asyncio.Event) -> None:
    """One room, as `run` serves it."""
    settings = settings.model_copy(update={"lk_room": room})
    factory = SessionFactory(load_graph("default", settings), settings, lambda line: meter.turns.append(line))
    await LiveKitRunner(settings, factory).run(stop)


async def serve_bare(settings: Settings, name: str, stop: asyncio.Event) -> None:
    """One room by the SDK alone."""
    room = rtc.Room()
    reading: set[asyncio.Task[None]] = set()

    def on_track(track: rtc.Track, *_: object) -> None:
        task = asyncio.create_task(read(track))
        reading.add(task)
        task.add_done_callback(reading.discard)

    async def read(track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, capacity=50, sample_rate=RATE_HZ, num_channels=1, frame_size_ms=10)
        talking = asyncio.create_task(talk(source))
        try:
            async for event in stream:
                bytes(event.frame.data)
        finally:
            talking.cancel()
            await stream.aclose()

    room.on("track_subscribed", on_track)
    room.on("track_unsubscribed", lambda *_: [task.cancel() for task in reading])
    await room.connect(settings.livekit_url, mint(settings, settings.lk_bot_identity, name, bot=True))
    source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=1000)
    track = rtc.LocalAudioTrack.create_audio_track("bot_out", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await room.local_participant.publish_track(track, options)
    await stop.wait()
    await room.disconnect()


async def talk(source: rtc.AudioSource) -> None:
    """The tones of a cycle, again and again."""
    sound, loop = tone(REPLY_S, RATE_HZ, 440), asyncio.get_running_loop()
    began_s = loop.time()
    while True:
        for begins_s, lasts_s in BARE_TONES:
            await asyncio.sleep(began_s + begins_s - loop.time())
            for at in range(0, round(lasts_s * RATE_HZ) * 2, PIECE * 2):
                piece = sound[at : at + PIECE * 2]
                await source.capture_frame(rtc.AudioFrame(piece, RATE_HZ, 1, len(piece) // 2))
        began_s += CYCLE_S
        await asyncio.sleep(began_s - loop.time())


async def serve(variant: str, url: str, prefix: str, rooms: int) -> None:
    """Serve all rooms until standard input ends."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    meter = Meter(loop)
    settings = load_settings(
        None,
        livekit_url=url,
        echo_cancel="never" if variant == "bare" else variant,
        mock_reply=f"tone:{REPLY_S}",
        log_file="off",
        metrics_file="off",
    )
    names = [f"{prefix}-{number}" for number in range(rooms)]
    answer_lines(loop, meter, stop)
    if variant == "bare":
        await asyncio.gather(*(serve_bare(settings, name, stop) for name in names))
    else:
        await asyncio.gather(*(serve_node(settings, name, meter, stop) for name in names))


if __name__ == "__main__":
    logging.getLogger("livekit").setLevel(logging.CRITICAL)
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    variant_, url_, prefix_, rooms_ = sys.argv[1:]
    asyncio.run(serve(variant_, url_, prefix_, int(rooms_)))
