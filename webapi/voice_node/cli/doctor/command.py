"""The command `doctor`."""

from __future__ import annotations

import typer

from webapi.voice_node.cli.options import Graph, Set, settings_from


def doctor(graph: Graph = None, set_: Set = None) -> None:
    """Check Python, packages, server, port, graph, its parts and VAD, and say what to do about each failure."""
    from webapi.voice_node.cli.doctor.table import doctor as run_checks

    raise typer.Exit(run_checks(settings_from(set_, voice_graph=graph)))
