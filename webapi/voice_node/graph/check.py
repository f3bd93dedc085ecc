"""Loads a graph and checks the orchestrators that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.graph.spec import GraphSpec, StepSpec
from webapi.voice_node.orchestrator import Orchestrator, find_class, find_orchestrator
from webapi.voice_node.plugins.constructor import constructor_of
from webapi.voice_node.reply.given_arguments import GivenArguments, make_orchestrator


def orchestrators_of(graph: GraphSpec) -> list[str]:
    """The names of the orchestrators that answer in the graph."""
    return [name for _, name, _ in answerers_of(graph)]


def make_orchestrators(graph: GraphSpec, settings: Settings) -> list[Orchestrator]:
    """Make each orchestrator of the graph once: what its constructor can't do is said before a caller is there.

    For the start of the node only, as a constructor may take long. Raises UserError, with the place.
    """
    made = []
    for step, name, given in answerers_of(graph):
        try:
            made.append(make_orchestrator(name, settings, step.gives.rate, given))
        except UserError as error:
            raise _placed(error, step, given) from error.__cause__
    return made


def load_and_check(name: str, settings: Settings, given: Mapping[str, Any] | None = None) -> GraphSpec:
    """The graph `name`: the module of each of its orchestrators is imported, but no orchestrator is made.

    `given`: arguments of one call, over those under `reply: with`. Raises UserError, with the place, for a wrong graph
    or orchestrator.
    """
    graph = load_graph(name, settings, given=given)
    for step, who, has in answerers_of(graph):
        try:
            find_orchestrator(who, map(constructor_of(find_class(who)).keyword, has.values) if has else ())
        except UserError as error:
            raise _placed(error, step, None) from error.__cause__
    return graph


def answerers_of(graph: GraphSpec) -> Iterator[tuple[StepSpec, str, GivenArguments | None]]:
    """Each operator that has an orchestrator, with its name and its arguments."""
    for step in (step for stream in graph.streams for step in stream.steps):
        if "orchestrator" in step.arguments:
            given = step.arguments.get("with")
            yield step, str(step.arguments["orchestrator"]), given if isinstance(given, GivenArguments) else None


def _placed(error: UserError, step: StepSpec, given: GivenArguments | None) -> UserError:
    """The error with the operator's place. What `given` is wrong about has the place of `with` already."""
    return error if given else UserError(f"{step.place}: {step.operator}: {error}")
