"""The virtual-time edge: a recording through the same graph that answers live, as fast as the machine can."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webapi.voice_node.audio.wav import iter_wav, wav_info
from webapi.voice_node.audio_io import Framer, Resampler, resampler
from webapi.voice_node.clock.replay_loops import Pace, ReplayLoop, run_paced, this_loop
from webapi.voice_node.config import Settings
from webapi.voice_node.events import BYTES_PER_SAMPLE, ROOM_RATE_HZ, US_PER_MS, US_PER_S, Event, Voiced, record
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.pipeline import Session
from webapi.voice_node.playback.play_queue import PlayQueue
from webapi.voice_node.replay.event_diff import first_difference

RATE_HZ = ROOM_RATE_HZ
CHUNK_US = 10 * US_PER_MS  # as LiveKit delivers
CHUNK_BYTES = RATE_HZ // 100 * BYTES_PER_SAMPLE
TAIL_S = 120  # after the recording, for a reply to end; an endless one is cut then

Mix = Callable[[bytes, bytes], None]  # caller and bot, 10 ms each
Tell = Callable[[float], None]  # seconds of the recording that are done: for a bar
TELL_CHUNKS = 100  # so often


@dataclass
class ReplayResult:
    """What came of a recording. Times are stream seconds."""

    name: str
    graph: str
    seconds: float = 0.0
    truncated: bool = False  # the file is shorter than its header says
    events: list[dict[str, Any]] = field(default_factory=list)  # the lines of events.jsonl
    metrics: list[dict[str, Any]] = field(default_factory=list)  # the lines of metrics.jsonl
    voiced: list[bool] = field(default_factory=list)  # of each frame
    likely: list[float | None] = field(default_factory=list)  # the probability of a voice in it, where one is known
    arrived_us: list[int] = field(default_factory=list)  # when each frame was whole, from the session's start on
    frame_us: int = 0
    origin_us: int = 0  # of a recorded call: when its session started, on the clock of that machine
    recorded: str | None = None  # of a recorded call: the events.jsonl that it was recorded with
    trouble: list[str] = field(default_factory=list)  # what went wrong beside the graph
    taps: list[str] = field(default_factory=list)  # the files that the graph wrote
    parted: int | None = None  # the first event that is another than in what this is compared with: see `part_from`
    before: ReplayResult | None = None  # what this is compared with
    idle: list[str] = field(default_factory=list)  # why some of what was to be different can make no difference

    def part_from(self, events: Sequence[Mapping[str, Any]], tolerance_s: float = 0.0) -> None:
        """Mark what comes after the first event that is another than in `events`."""
        self.parted = first_difference(events, self.events, tolerance_s)
        if self.parted is not None:
            for event in self.events[self.parted :]:
                event["parted"] = True

    def __post_init__(self) -> None:
        self.name = self.name.encode("utf-8", "replace").decode()  # a file may be called what no text can hold

    def watch(self, value: Any) -> None:
        """A probe of the graph: notes which frames were voiced, and how likely that was."""
        if type(value) is Voiced:
            at = value.frame.number
            if at >= len(self.voiced):
                self.voiced.append(value.voiced)
                self.likely.append(value.probability)
                self.arrived_us.append(value.frame.t_us - self.origin_us)
                self.frame_us = len(value.frame.pcm) // BYTES_PER_SAMPLE * US_PER_S // value.frame.rate
            else:
                self.voiced[at] = value.voiced  # where several judge a frame, the last one counts
                self.likely[at] = value.probability


def replay(
    path: Path,
    graph: GraphSpec,
    settings: Settings,
    mix: Mix | None = None,
    pace: Pace = "virtual",
    tell: Tell | None = None,
) -> ReplayResult:
    """Run the graph over a WAV, in virtual time. Raises UserError for a file that can't be read.

    Ids derive from the file's bytes and times from its samples: the same file gives the same result, always. In real
    time, which orchestrators with real I/O need, the times are those of the moment.
    """
    result = ReplayResult(path.name, graph.name, truncated=wav_info(path).truncated, taps=graph.taps)
    run_paced(_run(path, graph, settings, result, mix, tell), pace)
    return result


def name_of(path: Path) -> str:
    """The session's id: it derives from the recording, not from the moment."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 16):
            digest.update(block)
    return digest.hexdigest()[:12]


def chunks(path: Path) -> Iterator[bytes]:
    """Channel 0 of a WAV of any rate, as LiveKit would deliver it: 10 ms at 48 kHz; the last is filled up."""
    rate = wav_info(path).rate
    exact = rate in (8_000, 16_000, 48_000)
    through: Resampler = resampler(rate, RATE_HZ, "fir" if exact else "soxr-vhq", aligned=True)
    framer = Framer(CHUNK_BYTES)
    for block in iter_wav(path):
        yield from framer.push(through.push(block))
    yield from framer.push(through.flush())
    rest = framer.flush()
    if rest:
        yield rest


class ReplaySink:
    """A sink that plays in the loop's time. `played` gives what was heard in the next 10 ms, or silence."""

    def __init__(self, loop: ReplayLoop) -> None:
        self._loop = loop
        self._queue = PlayQueue(self._now())

    def push(self, pcm: bytes) -> None:
        """Queue it behind what is queued."""
        self._queue.push(self._now(), pcm)

    def clear(self) -> None:
        """Forget what is not yet played; it fades out."""
        self._queue.cut(self._now())

    def played(self, size: int = CHUNK_BYTES) -> bytes:
        """The next 10 ms, or `size` bytes."""
        return self._queue.take(self._queue.at + size // BYTES_PER_SAMPLE)

    def played_until(self, t_us: int) -> Iterator[bytes]:
        """What was heard up to then, in pieces of at most a second; nothing where that was asked for already."""
        until = t_us * RATE_HZ // US_PER_S
        while self._queue.at < until:
            yield self._queue.take(min(until, self._queue.at + RATE_HZ))

    def _now(self) -> int:
        return self._loop.now_us * RATE_HZ // US_PER_S


class NullSink:
    """A sink that nobody listens to."""

    def push(self, pcm: bytes) -> None:
        """Nothing."""

    def clear(self) -> None:
        """Nothing."""


async def _run(
    path: Path, graph: GraphSpec, settings: Settings, result: ReplayResult, mix: Mix | None, tell: Tell | None
) -> None:
    loop = this_loop()
    session_id = name_of(path)
    mouth = ReplaySink(loop)
    metrics = Metrics(session_id, "replay", graph.name, result.metrics.append)

    def note(event: Event) -> None:
        result.events.append(record(event, 0))

    failures: list[Exception] = []
    session = Session(
        graph,
        settings=settings,
        sink=mouth if mix else NullSink(),
        clock=loop.clock_us,
        session_id=session_id,
        room="replay",
        taps=[note, metrics],
        on_failure=failures.append,
        on_trouble=lambda error: result.trouble.append(str(error)),
        probe=result.watch,
    )

    due_us = 0  # from one chunk to the next, and not from now on: in real time each wait lasts a little too long
    for count, chunk in enumerate(chunks(path)):
        if tell and count % TELL_CHUNKS == 0:
            tell(loop.now_us / US_PER_S)
        due_us += CHUNK_US
        await loop.until(due_us)
        session.hear(chunk, RATE_HZ)
        if mix:
            mix(chunk, mouth.played())
        if failures:
            raise failures[0]
    result.seconds = loop.now_us / US_PER_S
    session.lost("the recording is over")
    silence = bytes(CHUNK_BYTES)
    last_us = loop.now_us + TAIL_S * US_PER_S
    while not session.idle and loop.now_us < last_us:
        due_us += CHUNK_US
        await loop.until(due_us)
        if mix:
            mix(silence, mouth.played())
    await session.close()
    metrics.close()
    if failures:
        raise failures[0]
