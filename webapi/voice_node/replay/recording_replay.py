"""Replays any recording; with changes twice, without and with them, and marks the first event that differs."""

from __future__ import annotations

from pathlib import Path

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.recording.call_file import is_call
from webapi.voice_node.replay.call_replay import replay_call
from webapi.voice_node.replay.changes import ReplayChanges, checked_settings
from webapi.voice_node.replay.mix import Mix
from webapi.voice_node.replay.progress import OnProgress
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.wav_replay import replay


def replay_recording(
    path: Path,
    graph: GraphSpec,
    settings: Settings,
    changes: ReplayChanges,
    mix: Mix | None = None,
    on_progress: OnProgress | None = None,
    taps: Path | None = None,
    channel: int = 0,
) -> ReplayResult:
    """Replay a WAV with `graph`, or a recorded call with its own graph; with changes also without them (`before`).

    `channel` of a WAV. Raises UserError where there is none of that number.
    """
    if is_call(path):
        if channel:
            raise UserError(f"{path}: a recorded call has one channel, number 0: there is no channel {channel}")
        return replay_call(path, mix, changes, on_progress, taps)
    if not changes:
        return replay(path, graph, settings, mix, changes.pace, on_progress, taps, channel)
    before = replay(path, graph, settings, pace=changes.pace, channel=channel)
    changed = settings.model_copy(update=checked_settings(changes.settings))
    other = load_graph(changes.graph or settings.voice_graph, changed)
    after = replay(path, other, changed, mix, changes.pace, on_progress, taps, channel)
    after.mark_divergence(before.events, changes.tolerance_s)
    after.before = before
    after.without_effect = changes.without_effect(other, asked=True)
    return after
