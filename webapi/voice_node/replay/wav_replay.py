"""Replays a WAV through a graph: the same graph that runs live, in virtual time, as fast as the machine can."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from webapi.voice_node.audio.wav import iter_wav, silence_note, wav_info
from webapi.voice_node.audio_io import Framer, Resampler, resampler
from webapi.voice_node.clock.replay_loops import Pace, run_paced
from webapi.voice_node.config import Settings
from webapi.voice_node.events import ROOM_RATE_HZ, US_PER_MS, US_PER_S
from webapi.voice_node.graph.settings_used import vad_backends
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.replay.mix import Mix
from webapi.voice_node.replay.progress import PROGRESS_CHUNKS, OnProgress
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.session import ReplaySession, SessionIdentity
from webapi.voice_node.replay.sinks import CHUNK_BYTES, ReplaySink

CHUNK_US = 10 * US_PER_MS  # as LiveKit delivers audio
OVER = "the recording is over"  # why the caller's audio stops at its end
TAIL_S = 120  # how long after the recording a reply may end; a longer one is cut then


def replay(
    path: Path,
    graph: GraphSpec,
    settings: Settings,
    mix: Mix | None = None,
    pace: Pace = "virtual",
    on_progress: OnProgress | None = None,
    taps: Path | None = None,
    channel: int = 0,
) -> ReplayResult:
    """Run the graph over a channel of a WAV; its taps write into the folder `taps`.

    Raises UserError for a file that can't be read, and where it has no such channel.

    Ids derive from the file's bytes and the channel, and times from its samples: the same file always gives the same
    result. With the pace `real`, which an orchestrator with real I/O needs, times are those of the machine's clock.
    """
    result = ReplayResult(path.name, graph.name, truncated=wav_info(path).truncated, vads=vad_backends(graph))
    note = silence_note(path, channel)
    result.problems += [note] if note else []
    run_paced(_run(path, channel, graph, settings, result, mix, on_progress, taps), pace, name=path)
    return result


def content_hash(path: Path, channel: int = 0) -> str:
    """Return a hash of the bytes of the recording and the channel, as hex digits. The first 12 are the session's id."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 16):
            digest.update(block)
    if channel:
        digest.update(f"channel {channel}".encode())
    return digest.hexdigest()


def chunks(path: Path, channel: int = 0) -> Iterator[bytes]:
    """Yield a channel of a WAV of any rate as LiveKit would deliver it: int16, 10 ms at 48 kHz; the last is padded."""
    rate = wav_info(path).rate
    exact = rate in (8_000, 16_000, ROOM_RATE_HZ)
    through: Resampler = resampler(rate, ROOM_RATE_HZ, "fir" if exact else "soxr-vhq", aligned=True)
    framer = Framer(CHUNK_BYTES)
    for block in iter_wav(path, channel):
        yield from framer.push(through.push(block))
    yield from framer.push(through.flush())
    rest = framer.flush()
    if rest:
        yield rest


async def _run(
    path: Path,
    channel: int,
    graph: GraphSpec,
    settings: Settings,
    result: ReplayResult,
    mix: Mix | None,
    on_progress: OnProgress | None,
    taps: Path | None,
) -> None:
    identity = SessionIdentity(content_hash(path, channel)[:12], "replay")
    running = ReplaySession(identity, graph, settings, result, audible=mix is not None, taps=taps)
    loop, session = running.loop, running.session
    mixer = SecondMixer(running.sink, mix) if mix else None
    due_us = 0  # counted from chunk to chunk, and not from the clock: in real time each wait lasts a little too long
    for count, chunk in enumerate(chunks(path, channel)):
        if on_progress and count % PROGRESS_CHUNKS == 0:
            on_progress(loop.now_us / US_PER_S)
        due_us += CHUNK_US
        if not loop.jump(due_us):  # most often it can: no coroutine for each chunk then
            await loop.until(due_us)
        session.hear(chunk, ROOM_RATE_HZ)
        if mixer:
            mixer.take(chunk)
        if running.failures:
            running.raise_failure()
        if running.hung_up:
            break
    result.seconds = loop.now_us / US_PER_S
    if not running.hung_up:
        session.lost(OVER)
    await play_out(running, due_us, mixer)
    await running.close()


async def play_out(running: ReplaySession, due_us: int, mixer: SecondMixer | None = None) -> None:
    """Wait until the last reply is over, TAIL_S at most: chunk by chunk from `due_us` on, the caller's last."""
    loop = running.loop
    silence = bytes(CHUNK_BYTES)
    last_us = loop.now_us + TAIL_S * US_PER_S
    while not (running.session.idle or running.hung_up) and loop.now_us < last_us:
        due_us += CHUNK_US
        await loop.until(due_us)
        if mixer:
            mixer.take(silence)
    if mixer:
        mixer.finish()


class SecondMixer:
    """Passes what both sides said to a mix, a second at a time: by 10 ms, ten minutes take 0.2 s more."""

    def __init__(self, sink: ReplaySink, mix: Mix) -> None:
        self._sink = sink
        self._mix = mix
        self._held: list[bytes] = []  # of the caller's: chunks

    def take(self, chunk: bytes) -> None:
        """Take what the caller said up to now."""
        self._held.append(chunk)
        if len(self._held) * CHUNK_US == US_PER_S:
            self.finish()

    def finish(self) -> None:
        """Mix what is held."""
        caller = b"".join(self._held)
        self._held.clear()
        self._mix(caller, self._sink.played(len(caller)))
