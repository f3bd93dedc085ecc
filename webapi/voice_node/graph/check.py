"""Loads a graph and checks the orchestrators that it names."""

from __future__ import annotations

from collections.abc import Callable

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.orchestrator import Orchestrator, find_orchestrator, load_orchestrator


def make_orchestrators(graph: GraphSpec, settings: Settings) -> list[Orchestrator]:
    """Make each orchestrator of the graph once: what its constructor can't do is said before a caller is there.

    For the start of the node only, as a constructor may take long. Raises UserError, with the place.
    """
    made: list[Orchestrator] = []
    _checked(graph, lambda who, rate: made.append(load_orchestrator(who, settings, rate)))
    return made


def load_and_check(name: str, settings: Settings) -> GraphSpec:
    """The graph `name`: the module of each of its orchestrators is imported, but no orchestrator is made.

    Raises UserError, with the place, for a wrong graph or orchestrator.
    """
    return _checked(load_graph(name, settings), lambda who, _: find_orchestrator(who))


def _checked(graph: GraphSpec, check: Callable[[str, int | None], object]) -> GraphSpec:
    """Call `check` with the name and the reply rate (Hz) of each orchestrator."""
    for step in (step for stream in graph.streams for step in stream.steps):
        if "orchestrator" in step.arguments:
            try:
                check(str(step.arguments["orchestrator"]), step.gives.rate)
            except UserError as error:
                raise UserError(f"{step.place}: {step.operator}: {error}") from error
    return graph
