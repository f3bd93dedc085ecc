"""The command `replay`: recordings through a graph in virtual time."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from webapi.voice_node.cli.options import (
    Channel,
    Graph,
    Jobs,
    Set,
    name_value_pairs,
    one_of,
    print_error,
    settings_from,
)
from webapi.voice_node.cli.terminal import folded, terminal_columns
from webapi.voice_node.config import without_secret
from webapi.voice_node.errors import UserError

if TYPE_CHECKING:
    from webapi.voice_node.clock.replay_loops import Pace


def replay(
    recordings: Annotated[list[str], typer.Argument(metavar="WAV…", help="WAV files, folders or glob patterns.")],
    graph: Graph = None,
    out: Annotated[Path | None, typer.Option(help="A folder for events, metrics, marbles and the mix.")] = None,
    expect: Annotated[Path | None, typer.Option(help="A marbles.txt to compare with; 1 if it differs.")] = None,
    update: Annotated[bool, typer.Option("--update", help="Write the file of --expect instead.")] = False,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="GRAPH|NAME=VALUE", help="Compare with another graph or setting; may be repeated."),
    ] = None,
    orchestrator: Annotated[
        str, typer.Option(help="Who answers in a recorded call: what was recorded, or live: the real one again.")
    ] = "recorded",
    pace: Annotated[str, typer.Option(help="virtual, or real: for an orchestrator with real I/O.")] = "virtual",
    channel: Channel = 0,
    jobs: Jobs = None,
    set_: Set = None,
) -> None:
    """Run a graph over recordings in virtual time, and show what it heard and said.

    A recorded call has its own graph and settings: with another --graph or --set it is compared with what it was.
    """
    from webapi.voice_node.cli.replay_files import replay_files
    from webapi.voice_node.graph.check import load_and_check
    from webapi.voice_node.graph.files import load_graph
    from webapi.voice_node.recording.call_file import is_call
    from webapi.voice_node.replay.batch import cores
    from webapi.voice_node.replay.changes import ReplayChanges, checked_settings
    from webapi.voice_node.replay.find import find_recordings

    settings = settings_from(set_, voice_graph=graph)
    one_of("--orchestrator", orchestrator, "recorded", "live")
    in_time: Pace = "real" if one_of("--pace", pace, "virtual", "real") == "real" else "virtual"
    other, changed = _graph_and_settings(against or ())
    problems: list[str] = []
    found = find_recordings(recordings, problems)
    answered = partial(load_graph, recorded=orchestrator == "recorded")  # a recorded call needs no orchestrator
    load = answered if all(map(is_call, found)) else load_and_check
    if other or changed:  # a problem with them is raised once, and not for each recording
        load(other or settings.voice_graph, settings.model_copy(update=checked_settings(changed)))
    for problem in problems:
        print_error(problem)
    columns = terminal_columns(sys.stdout)
    code = replay_files(
        found,
        load(settings.voice_graph, settings),
        settings,
        out=out,
        expect=expect,
        update=update,
        jobs=jobs or cores(),
        print_line=lambda text: typer.echo(folded(text, columns)),
        print_error=print_error,
        wav_changes=ReplayChanges(other, changed, pace=in_time),
        call_changes=ReplayChanges(
            other or graph, {**name_value_pairs(set_), **changed}, orchestrator == "live", in_time
        ),
        channel=channel,
        columns=columns,
    )
    raise typer.Exit(code or (1 if problems else 0))


def _graph_and_settings(against: list[str] | tuple[str, ...]) -> tuple[str | None, dict[str, object]]:
    """Return the graph and the settings of --against."""
    graphs = [without_secret(each) for each in against if "=" not in each]
    if len(graphs) > 1:
        raise UserError(f"--against {graphs[1]}: one graph at a time, and {graphs[0]} was given already")
    changed = name_value_pairs([each for each in against if "=" in each], "--against")
    return graphs[0] if graphs else None, changed
