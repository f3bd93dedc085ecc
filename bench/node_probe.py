"""The node in a process of its own, with stamps at its edges: `python -m bench.node_probe URL ROOM`.

It runs what `voice-node run` runs, without page and log file, and ends when standard input does. It prints lines of
JSON: each stall as it happens, and at the end what it noted.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from loguru import logger

from bench.stall_meter import Gap, StallMeter
from bench.stamps import SILENT_RMS, Doors
from webapi.voice_node.config import load_settings
from webapi.voice_node.events import US_PER_S, BargeIn, Event
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.livekit_runner import LiveKitRunner
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.orchestrator_mock import OrchestratorMock
from webapi.voice_node.room.session_port import MakeSession, SessionPort, SessionRequest

REPLY = "tone:30"  # as MOCK_REPLY
THINK_MS = 120  # the default of MOCK_THINK_MS


@dataclass
class Flush:
    """A barge-in at the node; monotonic seconds."""

    arrived_s: float  # the frame that completed the N voiced ones came out of the native library
    taken_s: float  # the session got it
    cleared_s: float  # clear_queue was done
    first_voiced_s: float = 0.0  # the first of the N voiced frames was taken


@dataclass
class Notes:
    """What the node noted; monotonic seconds."""

    flushes: list[Flush] = field(default_factory=list)
    yields: list[float] = field(default_factory=list)  # the orchestrator is about to yield a reply's first chunk
    published: list[float] = field(default_factory=list)  # capture_frame was called with something else than silence
    taken_ms: list[float] = field(
        default_factory=list
    )  # how long each frame took from the native library to the session
    turns: list[dict[str, Any]] = field(default_factory=list)  # the lines of metrics.jsonl


NOTES = Notes()


class StampedMock(OrchestratorMock):
    """The mock, with a stamp just before the first chunk of each reply is yielded."""

    def __init__(self) -> None:
        super().__init__(REPLY, think_ms=THINK_MS)

    async def get_audio_reply(self, trace_id: str, user_pcm8k: bytes) -> AsyncIterator[bytes]:
        """As the mock."""
        first = True
        async for chunk in super().get_audio_reply(trace_id, user_pcm8k):
            if first:
                NOTES.yields.append(time.monotonic())
                first = False
            yield chunk


class Probed:
    """A session whose every frame is watched on its way in."""

    outdated = False
    between_turns = True

    def __init__(self, session: SessionPort, doors: Doors) -> None:
        self._session = session
        self._doors = doors
        self.lost = session.lost
        self.press = session.press
        self.cut = session.cut
        self.close = session.close
        self.graph = session.graph

    @property
    def origin_us(self) -> int:
        """The session's."""
        return self._session.origin_us

    def hear(self, pcm: bytes, rate: int, echo: bool, t_us: int) -> None:
        """A frame: whether it flushes the bot's audio shows when it has been heard."""
        taken_s, before = time.monotonic(), len(self._doors.cleared)
        arrived_s = self._doors.arrival(taken_s)
        self._session.hear(pcm, rate, echo, t_us)
        NOTES.taken_ms.append((taken_s - arrived_s) * 1000)
        if len(self._doors.cleared) > before:
            NOTES.flushes.append(Flush(arrived_s, taken_s, self._doors.cleared[before]))


def probing(make_session: MakeSession, doors: Doors) -> MakeSession:
    """The same sessions, watched."""

    def make(call: SessionRequest) -> SessionPort:
        def tap(event: Event) -> None:
            if isinstance(event, BargeIn):  # told in the loop's next round: its flush is the last one noted
                NOTES.flushes[-1].first_voiced_s = event.t_first_voiced_us / US_PER_S
            call.tap(event)

        return Probed(make_session(replace(call, tap=tap)), doors)

    return make


async def serve(url: str, room: str) -> None:
    """Be the node until standard input ends."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(time.sleep, float(line))
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    doors = Doors()
    settings = load_settings(
        None, livekit_url=url, lk_room=room, vad_backend="webrtc", orchestrator="bench.node_probe:StampedMock"
    )
    make_session = SessionFactory(load_graph("default", settings), settings, NOTES.turns.append)
    with StallMeter(tell_stall):
        await LiveKitRunner(settings, probing(make_session, doors)).run(stop)
    NOTES.published = [at_s for at_s, level in doors.pushed if level > SILENT_RMS]


def tell_stall(gap: Gap) -> None:
    """Print it now: the caller hangs up and calls again."""
    print(json.dumps(gap), flush=True)


def main() -> None:
    """Serve, then tell."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(serve(*sys.argv[1:]))
    print(json.dumps(asdict(NOTES)))


if __name__ == "__main__":
    from bench.node_probe import main as main_of_the_module  # not of __main__: there is to be one NOTES

    main_of_the_module()
