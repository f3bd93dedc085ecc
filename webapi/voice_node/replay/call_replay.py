"""Replays a recorded call: the same inputs at the same times through the same graph, so the same decisions.

With changes (`ReplayChanges`) it gives what the changed graph would have decided for the same audio of the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from webapi.voice_node.clock.replay_loops import run_paced
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.events import US_PER_S, AudioChunk, AudioGap, KeyPressed, length_us
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.reader import read_graph
from webapi.voice_node.graph.settings_used import vad_backends
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.inputs import ASKED, FROM_CALLER, Closed, Input, OrchestratorOutput, PlayedOut
from webapi.voice_node.recording.call_file import GRAPH
from webapi.voice_node.recording.checks import check_caller, check_settings
from webapi.voice_node.recording.graph_folder import graph_folder
from webapi.voice_node.recording.recorded_call import RecordedCall, read_call
from webapi.voice_node.replay.changes import NO_CHANGES, ReplayChanges, checked_settings
from webapi.voice_node.replay.matched_replies import MatchedReplies
from webapi.voice_node.replay.mix import Mix
from webapi.voice_node.replay.progress import PROGRESS_CHUNKS, OnProgress
from webapi.voice_node.replay.recorded_replies import RecordedReplies
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.session import ReplaySession, SessionIdentity
from webapi.voice_node.replay.sinks import ReplaySink
from webapi.voice_node.vad import used_backend


def replay_call(
    folder: Path,
    mix: Mix | None = None,
    changes: ReplayChanges = NO_CHANGES,
    on_progress: OnProgress | None = None,
    taps: Path | None = None,
) -> ReplayResult:
    """Replay the call in `folder` with the graph and the settings that it was recorded with, but for `changes`.

    With changes, the call is also replayed without them (`before`), and the result is marked from the first event that
    differs. The graph's taps write into the folder `taps`. Raises UserError for a recording that can't be read, or
    whose graph this program does not understand.
    """
    call = read_call(folder)
    identity, settings = _identity_and_settings(call, changes)
    if changes.graph:
        graph = load_graph(changes.graph, settings, recorded=not changes.live)
    else:
        graph = read_graph(
            call.graph,
            folder / GRAPH,
            settings,
            recorded=not changes.live,
            folder=graph_folder(call),
            name=Path(call.header["graph"]).name,
        )
    result = ReplayResult(
        folder.name,
        graph.name,
        origin_us=identity.origin_us,
        recorded=None if changes else call.events(),
        vads=vad_backends(graph),
        problems=_other_vads(call),
    )
    running = _run(call, identity, graph, settings, result, mix, changes, on_progress, taps)
    run_paced(running, changes.pace, name=folder, start_us=identity.origin_us)
    if changes:
        result.before = replay_call(folder)
        result.mark_divergence(result.before.events, changes.tolerance_s)
        result.without_effect = changes.without_effect(graph, asked=changes.live)
    return result


def _other_vads(call: RecordedCall) -> list[str]:
    """A line for each VAD of the graph that is another one now than in the call. Old recordings do not say it."""
    recorded = call.header.get("vads")
    pairs = [(str(name), str(was)) for name, was in recorded.items()] if isinstance(recorded, dict) else []
    now = {name: used_backend(name) for name, _ in pairs}
    return [f"VAD {name}: was {was} in the call, is {now[name]} now" for name, was in pairs if was != now[name]]


def _identity_and_settings(call: RecordedCall, changes: ReplayChanges) -> tuple[SessionIdentity, Settings]:
    header = call.header
    origin_us = call.origin_us
    try:
        for name in ("session_id", "room", "graph"):
            if not isinstance(header[name], str) or "\0" in header[name]:
                raise ValueError(f"{name} is no text")
        recorded = check_settings(header["settings"])
        caller = check_caller(header.get("caller"))
    except (KeyError, ValueError) as error:
        raise UserError(f"{call.folder}: call.json lacks what a replay needs: {error}") from None
    identity = SessionIdentity(header["session_id"], header["room"], origin_us, caller)
    return identity, Settings.model_construct(**{**recorded, **checked_settings(changes.settings)})


async def _run(
    call: RecordedCall,
    identity: SessionIdentity,
    graph: GraphSpec,
    settings: Settings,
    result: ReplayResult,
    mix: Mix | None,
    changes: ReplayChanges,
    on_progress: OnProgress | None,
    taps: Path | None,
) -> None:
    script, inputs = _script_and_inputs(call, identity.origin_us, changes, result.problems)
    running = ReplaySession(identity, graph, settings, result, audible=mix is not None, script=script, taps=taps)
    loop, session = running.loop, running.session
    mixer = _CallMixer(running.sink, mix) if mix else None
    for count, given in enumerate(inputs):
        if on_progress and count % PROGRESS_CHUNKS == 0:
            on_progress((loop.now_us - identity.origin_us) / US_PER_S)
        await loop.until(given.value.t_us if isinstance(given, OrchestratorOutput) else given.t_us)
        if isinstance(given, Closed):
            break
        if isinstance(given, (AudioChunk, AudioGap)):
            session.feed(given)
        elif isinstance(given, KeyPressed):
            session.press(given.digit, given.t_us)
        elif isinstance(given, ASKED):
            session.ask(given)
        elif isinstance(given, PlayedOut):
            session.played_out(given.t_us)
        elif script and script.tell and isinstance(given, OrchestratorOutput):
            script.tell(given.value)
        if mixer:
            mixer.take(given)
        if changes.live and running.hung_up:
            break
    if mixer:
        mixer.silence_until(loop.now_us)
    await running.close()
    result.seconds = (loop.now_us - identity.origin_us) / US_PER_S


def _script_and_inputs(
    call: RecordedCall, origin_us: int, changes: ReplayChanges, problems: list[str]
) -> tuple[RecordedReplies | None, Iterator[Input]]:
    """Return what gives the replies instead of the orchestrator (None: it is asked again), and the graph's inputs.

    `problems`: as of `RecordedCall.inputs`.
    """
    if not changes:
        recorded = RecordedReplies()
        return recorded, recorded.learn_acts(call.inputs(problems))
    if changes.live:
        return None, (given for given in call.inputs(problems) if isinstance(given, FROM_CALLER))
    replies = MatchedReplies(call, origin_us)
    return replies, replies.merged_into(call.inputs(problems))


class _CallMixer:
    """Passes what both sides said to a mix, on the session's clock.

    The caller's audio is continuous, however unevenly it came; after a gap it begins at the time of its arrival.
    """

    def __init__(self, sink: ReplaySink, mix: Mix) -> None:
        self._sink = sink
        self._mix = mix
        self._silent = True  # the caller's audio has not begun, or has stopped

    def take(self, given: Input) -> None:
        """Mix the next input, at its time."""
        if isinstance(given, AudioGap):
            self._silent = True
        elif isinstance(given, AudioChunk):
            if self._silent:
                self.silence_until(given.t_us - length_us(given.pcm, given.rate))
                self._silent = False
            self._mix(given.pcm, self._sink.played(len(given.pcm)))

    def silence_until(self, t_us: int) -> None:
        """Mix silence of the caller up to `t_us`."""
        for bot in self._sink.played_until(t_us):
            self._mix(bytes(len(bot)), bot)
