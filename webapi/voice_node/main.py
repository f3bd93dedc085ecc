"""The command line: wires, decides nothing. Exit codes: 0 fine, 1 a check failed, 2 something the user can mend."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from webapi.voice_node import __version__
from webapi.voice_node.clock.run import run_in
from webapi.voice_node.config import Settings, load_settings
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.node.signals import handle_signals

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    help="The media layer of a voice bot: hears one caller in a LiveKit room, answers, falls silent when talked over.",
)
graphs_app = typer.Typer(help="What graphs there are, if they are right, what they look like.", no_args_is_help=True)
app.add_typer(graphs_app, name="graphs")

Graph = Annotated[str | None, typer.Option(help="A graph's name in graphs/, or a path ending in .yaml (VOICE_GRAPH).")]
Room = Annotated[str | None, typer.Option(help="The room (LK_ROOM).")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="How many recordings run side by side.", show_default="the machine's cores"),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any setting of .env.example; may be repeated.")
]


def settings_from(given: Sequence[str] | None, **options: object) -> Settings:
    """The settings, with what the command line said on top."""
    overrides = pairs(given)
    overrides.update({name: value for name, value in options.items() if value is not None})
    return load_settings(**overrides)


def pairs(given: Sequence[str] | None, option: str = "--set") -> dict[str, object]:
    """What NAME=VALUE says, by the settings' attributes."""
    found: dict[str, object] = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        field = name.strip().lower()
        if not equals:
            raise UserError(f"{option} {pair}: it is {option} NAME=VALUE, with a NAME of .env.example")
        if field not in Settings.model_fields:
            near = nearest(field.upper(), [each.upper() for each in Settings.model_fields])
            raise UserError(f"{option} {name}: there is no setting {field.upper()!r}.{near} See .env.example")
        found[field] = value
    return found


def one_of(option: str, given: str, *allowed: str) -> str:
    """What was given, which must be one of those."""
    if given not in allowed:
        raise UserError(f"{option} {given}: it is {', '.join(allowed[:-1])} or {allowed[-1]}")
    return given


@app.callback(invoke_without_command=True)
def top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Print the version, where that is all that is wanted."""
    if version:
        typer.echo(f"voice-node {__version__}")


@app.command()
def run(
    graph: Graph = None,
    room: Room = None,
    identity: Annotated[str | None, typer.Option(help="The node's name in the room (LK_BOT_IDENTITY).")] = None,
    url: Annotated[str | None, typer.Option(help="The LiveKit server (LIVEKIT_URL).")] = None,
    record: Annotated[str | None, typer.Option(help="A folder to record calls into (RECORD_DIR).")] = None,
    set_: Set = None,
    dev_server: Annotated[bool, typer.Option(help="Get a LiveKit server where none answers on loopback.")] = True,
    page: Annotated[bool, typer.Option(help="Serve the client page.")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Read the graph anew when its file changes.")] = False,
) -> None:
    """Join the room and serve callers until Ctrl-C or SIGTERM; SIGHUP reads the graph anew. The default command."""
    from webapi.voice_node.node.run import run_node  # livekit and aiohttp: only what runs needs them

    settings = settings_from(
        set_, voice_graph=graph, lk_room=room, lk_bot_identity=identity, livekit_url=url, record_dir=record
    )
    loop = asyncio.new_event_loop()
    stop, reload = asyncio.Event(), asyncio.Event()
    handle_signals(loop, stop, reload)
    run_in(loop, run_node(settings, stop, reload, watch=watch, local_server=dev_server, page=page, say=typer.echo))
    sys.stdout.flush()


@app.command("replay")
def replay_recordings(
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
    jobs: Jobs = None,
    set_: Set = None,
) -> None:
    """Run a graph over recordings in virtual time, and show what it heard and said.

    A recorded call has its own graph and settings: with another --graph or --set it is compared with what it was.
    """
    from webapi.voice_node.cli.replay_command import replay_files
    from webapi.voice_node.clock.replay_loops import Pace
    from webapi.voice_node.graph.check import load_and_check
    from webapi.voice_node.graph.files import load_graph
    from webapi.voice_node.recording.call_file import is_call
    from webapi.voice_node.replay.batch import cores
    from webapi.voice_node.replay.call_replay import Changes, checked
    from webapi.voice_node.replay.find import find_recordings

    settings = settings_from(set_, voice_graph=graph)
    one_of("--orchestrator", orchestrator, "recorded", "live")
    in_time: Pace = "real" if one_of("--pace", pace, "virtual", "real") == "real" else "virtual"
    graphs = [each for each in against or () if "=" not in each]
    if len(graphs) > 1:
        raise UserError(f"--against {graphs[1]}: one graph at a time, and {graphs[0]} was given already")
    other = graphs[0] if graphs else None
    changes = pairs([each for each in against or () if "=" in each], "--against")
    found = find_recordings(recordings)
    load = load_graph if all(map(is_call, found)) else load_and_check  # a recorded call needs no orchestrator
    if other or changes:  # what is wrong with them is said once, and not of each recording
        load(other or settings.voice_graph, settings.model_copy(update=checked(changes)))
    code = replay_files(
        found,
        load(settings.voice_graph, settings),
        settings,
        out=out,
        expect=expect,
        update=update,
        jobs=jobs or cores(),
        say=typer.echo,
        complain=lambda text: typer.echo(text, err=True),
        wavs=Changes(other, changes, pace=in_time),
        calls=Changes(other or graph, {**pairs(set_), **changes}, orchestrator == "live", in_time),
    )
    raise typer.Exit(code)


@app.command("sweep")
def sweep_settings(
    recordings: Annotated[list[str], typer.Argument(metavar="WAV…", help="WAV files, folders or glob patterns.")],
    grid: Annotated[
        list[str], typer.Option(metavar="NAME=VALUES", help="A setting and 4..10, 4..10:2 or a,b,c; may be repeated.")
    ],
    graph: Graph = None,
    labels: Annotated[Path | None, typer.Option(help="A folder with the labels, if not beside the WAVs.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for sweep.csv, sweep.json and the picture.")] = None,
    jobs: Jobs = None,
    set_: Set = None,
) -> None:
    """Run a graph over recordings with every combination of settings, and compare what was heard."""
    from webapi.voice_node.replay.batch import cores
    from webapi.voice_node.replay.sweep.grid import cells
    from webapi.voice_node.replay.sweep.run import find_corpus, sweep_files

    def load(point: Mapping[str, str]) -> Settings:
        return settings_from([*(set_ or ()), *(f"{k}={v}" for k, v in point.items())], voice_graph=graph)

    fixed = [pair.partition("=")[0].strip().upper() for pair in set_ or ()] + (["VOICE_GRAPH"] if graph else [])
    code = sweep_files(
        find_corpus(recordings, labels),
        cells(grid, fixed, load),
        jobs or cores(),
        out,
        complain=lambda text: typer.echo(text, err=True),
    )
    raise typer.Exit(code)


@app.command()
def report(
    metrics: Annotated[list[Path], typer.Argument(metavar="METRICS…", help="metrics.jsonl files.")],
    out: Annotated[Path | None, typer.Option(help="A folder for pictures (PNG and SVG).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Numbers for programs.")] = False,
) -> None:
    """Percentiles and pictures of metrics.jsonl."""
    from webapi.voice_node.report.summary import report as make_report

    raise typer.Exit(make_report(metrics, out, json))


@app.command()
def token(
    identity: Annotated[str, typer.Option(help="Who joins with it.")],
    room: Room = None,
    minutes: Annotated[int, typer.Option(min=1, max=24 * 60, help="How long one can join with it.")] = 60,
    set_: Set = None,
) -> None:
    """Print a token that lets a caller into one room."""
    from webapi.voice_node.room.tokens import mint

    settings = settings_from(set_, lk_room=room)
    typer.echo(mint(settings, identity, settings.lk_room, ttl=timedelta(minutes=minutes)))


@app.command()
def doctor(graph: Graph = None, set_: Set = None) -> None:
    """Check Python, packages, server, port, graph and VAD backends, and say what to do about each failure."""
    from webapi.voice_node.cli.doctor.table import doctor as check_all

    raise typer.Exit(check_all(settings_from(set_, voice_graph=graph)))


@graphs_app.command("list")
def list_graphs() -> None:
    """The graphs by name, each with its opening line."""
    from webapi.voice_node.graph.files import find_graphs, opening_line

    for name, path in sorted(find_graphs().items()):
        typer.echo(f"{name:16} {opening_line(path)}")


@graphs_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A graph's name in graphs/, or a path.")],
    format_: Annotated[str, typer.Option("--format", help="text, mermaid or svg.")] = "text",
    set_: Set = None,
) -> None:
    """Draw a graph: as text, as a Mermaid flowchart, or as an SVG picture."""
    from webapi.voice_node.graph.files import load_graph, opening_line
    from webapi.voice_node.graph.mermaid import mermaid
    from webapi.voice_node.graph.svg import svg
    from webapi.voice_node.graph.text import text

    one_of("--format", format_, "text", "mermaid", "svg")
    graph = load_graph(name, settings_from(set_))
    if format_ == "mermaid":
        drawn = mermaid(graph)
    else:
        draw = svg if format_ == "svg" else text
        drawn = draw(graph, opening_line(graph.path))
    typer.echo(drawn, nl=False)


@graphs_app.command()
def schema() -> None:
    """Print a JSON Schema of graph files, with which an editor completes them."""
    import json

    from webapi.voice_node.graph.schema import graph_schema

    typer.echo(json.dumps(graph_schema(), indent=2))


@graphs_app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME…]", help="Names, paths or folders; all without.")
    ] = None,
    set_: Set = None,
) -> None:
    """Say what is wrong with graphs; exit code 1 where something is."""
    from webapi.voice_node.graph.check import load_and_check
    from webapi.voice_node.graph.files import find_graphs, graphs_at

    settings = settings_from(set_)
    wrong = 0
    for name in [each for given in names for each in graphs_at(given)] if names else sorted(find_graphs()):
        try:
            load_and_check(name, settings)
        except UserError as error:
            typer.echo(str(error), err=True)
            wrong += 1
        else:
            typer.echo(f"{name}: right")
    raise typer.Exit(1 if wrong else 0)


def main(arguments: Sequence[str] | None = None) -> Any:
    """The console command: a user's mistake is one sentence or more on stderr and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            print_anything(stream)
    try:
        app(args=run_by_default(sys.argv[1:] if arguments is None else arguments), prog_name="voice-node")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(f"{error.filename or 'what was to be written'}: {error.strerror}\n")
        sys.exit(2)


def print_anything(stream: TextIOWrapper) -> None:
    """Let no character end the program: a file or a pipe gets UTF-8, on Windows too, and `?` is what can't be shown."""
    asked_for = stream.isatty() or "PYTHONIOENCODING" in os.environ
    stream.reconfigure(encoding=None if asked_for else "utf-8", errors="replace")


def run_by_default(arguments: Sequence[str]) -> list[str]:
    """`voice-node --graph X` is `voice-node run --graph X`: `run` is put before options.

    UserError for a word that is no command.
    """
    commands = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    commands |= {str(group.name) for group in app.registered_groups} | {"--help", "--version"}
    if arguments and arguments[0] in commands:
        return list(arguments)
    if arguments and not arguments[0].startswith("-"):
        there = sorted(commands - {"--help", "--version"})
        raise UserError(
            f"voice-node {arguments[0]}: there is no such command.{nearest(arguments[0], there)} "
            f"There are: {', '.join(there)}."
        )
    return ["run", *arguments]


def run_voice_node() -> Any:
    """The console command `run-voice-node`: `voice-node run`."""
    return main(["run", *sys.argv[1:]])


if __name__ == "__main__":
    main()
