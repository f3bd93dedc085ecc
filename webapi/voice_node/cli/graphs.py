"""The commands `graphs list`, `show`, `schema` and `check`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from webapi.voice_node.cli.options import Set, one_of, print_error, settings_from
from webapi.voice_node.cli.terminal import folded, terminal_columns
from webapi.voice_node.errors import UserError


def list_graphs() -> None:
    """The graphs by name, each with its opening line."""
    from webapi.voice_node.graph.files import find_graphs, opening_line

    for name, path in sorted(find_graphs().items()):
        typer.echo(folded(f"{name:16} {opening_line(path)}", terminal_columns(sys.stdout), indent=17))


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
    settings = settings_from(set_)
    try:
        graph = load_graph(name, settings)
    except UserError as error:
        if not error.needs:
            raise
        graph = load_graph(name, settings, recorded=True)  # what this machine lacks is in no drawing
    if format_ == "mermaid":
        drawn = mermaid(graph)
    else:
        draw = svg if format_ == "svg" else text
        drawn = draw(graph, opening_line(graph.path))
    typer.echo(drawn, nl=False)


def schema() -> None:
    """Print a JSON Schema of graph files, with which an editor completes them."""
    import json

    from webapi.voice_node.graph.schema import graph_schema

    typer.echo(json.dumps(graph_schema(), indent=2))


def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME…]", help="Names, paths or folders; all without.")
    ] = None,
    set_: Set = None,
) -> None:
    """Say what is wrong with graphs; exit code 1 where something is.

    That this machine lacks a package or a variable is wrong only where the graph is named.
    """
    import asyncio

    from webapi.voice_node.converse.check_parts import check_parts
    from webapi.voice_node.graph.check import load_and_check
    from webapi.voice_node.graph.files import find_graphs, graphs_at
    from webapi.voice_node.graph.parts import parts_of

    settings = settings_from(set_)
    wrong = 0
    for name in [each for given in names for each in graphs_at(given)] if names else sorted(find_graphs()):
        try:
            parts = parts_of(load_and_check(name, settings))
            if parts:
                asyncio.run(check_parts(parts, opened=False))
        except UserError as error:
            if error.needs and name not in (names or ()):
                typer.echo(f"{name}: right; to run it, this machine needs {' and '.join(error.needs)}")
                continue
            print_error(str(error))
            wrong += 1
        else:
            typer.echo(f"{name}: right")
    raise typer.Exit(1 if wrong else 0)


graphs = typer.Typer(help="What graphs there are, if they are right, what they look like.", no_args_is_help=True)
graphs.command("list")(list_graphs)
graphs.command()(show)
graphs.command()(schema)
graphs.command()(check)
