"""`voice-node replay … --against`: what a recording gives, and with something different; where the two part."""

from __future__ import annotations

from pathlib import Path

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import PrintLine
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.recording.call_file import is_call
from webapi.voice_node.replay.call_replay import Changes, checked, replay_call
from webapi.voice_node.replay.event_diff import told
from webapi.voice_node.replay.marbles import PARTED, render
from webapi.voice_node.replay.wav_replay import Mix, ReplayResult, Tell, replay

COLUMNS = 79


def replay_with_changes(
    path: Path, graph: GraphSpec, settings: Settings, instead: Changes, mix: Mix | None, tell: Tell
) -> ReplayResult:
    """The recording with something different, marked from where it parts from what it gives without: its `before`."""
    if is_call(path):
        return replay_call(path, mix, instead, tell)
    before = replay(path, graph, settings, pace=instead.pace)
    changed = settings.model_copy(update=checked(instead.settings))
    other = load_graph(instead.graph or settings.voice_graph, changed)
    after = replay(path, other, changed, mix, instead.pace, tell)
    after.part_from(before.events, instead.tolerance_s)
    after.before = before
    after.idle = instead.idle(other, asked=True)
    return after


def show_both(path: Path, after: ReplayResult, instead: Changes, say: PrintLine) -> bool:
    """Both marbles, and the first event at which they part. True where they don't."""
    before = after.before
    assert before is not None  # noqa: S101 - for the type checker: replay_instead made it
    call = is_call(path)
    one, other = "as it was recorded" if call else "as it is", f"with {instead}"
    for name, replayed in ((one, before), (other, after)):
        say(f"{f'── {name} ':─<{COLUMNS}}")
        say(render(replayed))
    if after.parted is None:
        say("\n  ".join([f"{path}: no event is another one {other}", *after.idle]))
        return True
    was, now = told(before.events, after.events, after.parted, instead.tolerance_s)
    width = max(len(one), len(other))
    say(f"{path}: they part in event {after.parted + 1}:\n  {one:{width}}  {was}\n  {other:{width}}  {now}")
    if call:
        say(f"  {PARTED} after that: the caller still says what they said to the other.")
    return False
