"""Load a graph and check the orchestrators that it names."""

from __future__ import annotations

from collections.abc import Callable

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.orchestrator import find_orchestrator, load_orchestrator


def load_to_run(name: str, settings: Settings) -> GraphSpec:
    """The graph `name`, of which each orchestrator has been made once: a wrong one is told now, not to a caller.

    Raises UserError for a graph or an orchestrator that won't do, with the place.
    """
    return _checked(load_graph(name, settings), lambda who, rate: load_orchestrator(who, settings, rate))


def load_and_check(name: str, settings: Settings) -> GraphSpec:
    """The graph `name`, of which each orchestrator is there: its module is imported, and nothing is made.

    Raises UserError for a graph or an orchestrator that won't do, with the place.
    """
    return _checked(load_graph(name, settings), lambda who, _: find_orchestrator(who))


def _checked(graph: GraphSpec, look: Callable[[str, int | None], object]) -> GraphSpec:
    for step in (step for stream in graph.streams for step in stream.steps):
        if "orchestrator" in step.arguments:
            try:
                look(str(step.arguments["orchestrator"]), step.gives.rate)
            except UserError as error:
                raise UserError(f"{step.place}: {step.operator}: {error}") from error
    return graph
