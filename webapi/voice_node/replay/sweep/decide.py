"""Replays the rest of a graph over what its caller's part gave: decisions, replies, metrics.

The events and metrics are those of `replay`, byte for byte. The frames (`voiced`, `likely`) are left out of the result:
they are for pictures.
"""

from __future__ import annotations

from webapi.voice_node.clock.replay_loops import run_paced
from webapi.voice_node.clock.virtual_time import VirtualTimeLoop
from webapi.voice_node.config import Settings
from webapi.voice_node.events import US_PER_S
from webapi.voice_node.graph.settings_used import vad_backends
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.session import ReplaySession, SessionIdentity
from webapi.voice_node.replay.sweep.heard import Heard, HeardRecording
from webapi.voice_node.replay.wav_replay import CHUNK_US, play_out


def decide(
    recording: HeardRecording, graph: GraphSpec, rest: GraphSpec, settings: Settings, heard: Heard
) -> ReplayResult:
    """Return what `graph` decides where its caller's part gave `heard`, and `rest` is the rest of it.

    Raises UserError as `replay`.
    """
    result = ReplayResult(recording.path.name, graph.name, truncated=recording.truncated, vads=vad_backends(graph))
    result.problems += [recording.note] if recording.note else []
    identity = SessionIdentity(recording.digest[:12], "replay")
    run_paced(_run(heard, identity, rest, settings, result), "virtual", name=recording.path)
    return result


def _is_unheard(rest: GraphSpec) -> bool:
    """Whether what `resample` makes of a reply goes to the speaker and nowhere else: then it need not be computed."""
    speaker = rest.outputs.get("speaker", ())
    for stream in rest.streams:
        for step in stream.steps:
            last = step is stream.steps[-1] and stream.name in speaker and rest.readers(stream.name) == 1
            if step.operator == "resample" and not last:
                return False
    return True


async def _run(
    heard: Heard, identity: SessionIdentity, rest: GraphSpec, settings: Settings, result: ReplayResult
) -> None:
    running = ReplaySession(identity, rest, settings, result, audible=False, unheard=_is_unheard(rest))
    loop, push = running.loop, running.session.heard
    assert isinstance(loop, VirtualTimeLoop)  # noqa: S101 - for the type checker: see `decide`
    values, at, due_us = heard.values, 0, 0
    while at < len(values) and not running.hung_up:
        due_us = await _go_on(running, due_us, values[at][0])
        if running.hung_up:  # the chunk in which that was is still heard
            for t_us, value in values[at:]:
                if t_us > due_us:
                    break
                push(value)
            break
        at = loop.give(values, at, push)
        due_us = values[at - 1][0]
        running.raise_failure()
    due_us = await _go_on(running, due_us, heard.end_us)
    result.seconds = loop.now_us / US_PER_S
    if not running.hung_up:
        for value in heard.tail:
            push(value)
    await play_out(running, due_us)
    await running.close()


async def _go_on(running: ReplaySession, due_us: int, t_us: int) -> int:
    """Go on to `t_us` as a replay does: a chunk at a time, up to the one in which the bot has hung up. Returns when
    that was."""
    loop = running.loop
    while due_us < t_us and not running.hung_up:
        due_us += CHUNK_US
        if not loop.jump(due_us):
            await loop.until(due_us)
    return due_us
