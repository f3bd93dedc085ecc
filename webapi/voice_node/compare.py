"""`voice-node replay … --against`: what a recording gives, and with something different; where the two part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from webapi.voice_node.call_replay import Instead, checked, replay_call
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph import load_graph
from webapi.voice_node.marbles import PARTED, render
from webapi.voice_node.parting import told
from webapi.voice_node.replay import Replayed, replay
from webapi.voice_node.tape import is_call

Say = Callable[[str], None]
COLUMNS = 79


def compare_files(paths: Sequence[Path], settings: Settings, instead: Instead, say: Say, complain: Say) -> int:
    """Compare each; 0 where nothing parted, else 1, also where a recording could not be read. The others still run."""
    code = 0
    for path in paths:
        try:
            parted = compare(path, settings, instead, say)
        except UserError as error:
            complain(str(error))
            code = 1
        else:
            code = 1 if parted else code
    return code


def compare(path: Path, settings: Settings, instead: Instead, say: Say) -> bool:
    """Both marbles, and the first event at which they part; whether they do."""
    call = is_call(path)
    before, after = "as it was recorded" if call else "as it is", f"with {instead}"
    one, other = _call(path, instead) if call else _wav(path, settings, instead)
    for name, replayed in ((before, one), (after, other)):
        say(f"{f'── {name} ':─<{COLUMNS}}")
        say(render(replayed))
    if other.parted is None:
        say(f"{path}: no event is another one {after}")
        return False
    was, now = told(one.events, other.events, other.parted, instead.tolerance_s)
    width = max(len(before), len(after))
    say(f"{path}: they part in event {other.parted + 1}:\n  {before:{width}}  {was}\n  {after:{width}}  {now}")
    if call:
        say(f"  {PARTED} after that: the caller still says what they said to the other.")
    return True


def _call(path: Path, instead: Instead) -> tuple[Replayed, Replayed]:
    return replay_call(path), replay_call(path, instead=instead)


def _wav(path: Path, settings: Settings, instead: Instead) -> tuple[Replayed, Replayed]:
    one = replay(path, load_graph(settings.voice_graph, settings), settings, pace=instead.pace)
    changed = settings.model_copy(update=checked(instead.settings))
    other = replay(path, load_graph(instead.graph or settings.voice_graph, changed), changed, pace=instead.pace)
    other.part_from(one.events)
    return one, other


def instead_of(against: Sequence[str], read: Callable[[Sequence[str]], dict[str, object]]) -> Instead:
    """What `--against` names: graphs (one at most) and NAME=VALUE. `read` checks the latter."""
    pairs = [each for each in against if "=" in each]
    graphs = [each for each in against if "=" not in each]
    if len(graphs) > 1:
        raise UserError(f"--against {graphs[1]}: one graph at a time, {graphs[0]} was given already")
    return Instead(graphs[0] if graphs else None, read(pairs))
