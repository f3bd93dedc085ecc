"""What flows between the ports and streams of a graph: the edges that every drawing shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from webapi.voice_node.graph.spec import INPUTS, GraphSpec, StepSpec
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import Kind
from webapi.voice_node.reply.given_arguments import GivenArguments

FEEDBACK = "playback"  # the input port that leads back from the speaker: drawings show it apart from the others
UNDRAWN = ("asked", "keys", "words")  # input ports that operators read wherever they stand: a line would tell nothing


@dataclass(frozen=True)
class Edge:
    """A flow from an input port or a stream to an operator of another stream, or to an output port."""

    source: str
    target: str
    step: int  # index of the operator of `target` that reads it; 0 for a port
    argument: str  # the argument that names it; "" for the stream that flows through the operators
    kind: Kind


def edges(graph: GraphSpec) -> list[Edge]:
    """Every edge of the graph. A stream without operators is no end of an edge: its readers read its sources."""
    kinds = {**INPUTS, **{stream.name: stream.gives for stream in graph.streams}}
    makers: dict[str, tuple[str, ...]] = {port: (port,) for port in INPUTS}
    found: list[Edge] = []

    def read(names: Sequence[str], target: str, step: int = 0, argument: str = "") -> None:
        sources = dict.fromkeys(maker for name in names for maker in makers[name])
        found.extend(Edge(maker, target, step, argument, kinds[maker]) for maker in sources if maker not in UNDRAWN)

    for stream in graph.streams:
        if stream.steps:
            makers[stream.name] = (stream.name,)
            read(stream.sources, stream.name)
        else:
            makers[stream.name] = tuple(dict.fromkeys(maker for source in stream.sources for maker in makers[source]))
        for i, step in enumerate(stream.steps):
            for argument, name in step.reads.items():
                read([name], stream.name, i, argument)
    for port, names in graph.outputs.items():
        read(names, port)
    return found


def shown_arguments(step: StepSpec, *, defaults: bool = True) -> list[str]:
    """The operator's arguments as `name: value`; with `defaults=False` without those at their default.

    What an orchestrator is made with is shown as `with.KEY.KEY: value`, with the names of variables, and beside it the
    orchestrator in any case.
    """
    fields = TABLE[step.operator].arguments.model_fields
    made_with = any(isinstance(value, GivenArguments) for value in step.arguments.values())
    found: list[str] = []
    for name, value in step.arguments.items():
        if isinstance(value, GivenArguments):
            found += _leaves(name, dict(value.written))
            continue
        always = made_with and name == "orchestrator"
        if value != fields[name].default or always or (defaults and name != "with"):
            found.append(f"{name}: {_shown(value)}")
    return found


def _leaves(path: str, value: Any) -> Iterator[str]:
    """The values in a map or a list, each with the keys and indices that lead to it."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for i, item in enumerate(value):
            yield from _leaves(f"{path}.{i}", item)
    elif isinstance(value, list):
        yield f"{path}: [{', '.join(map(_shown, value))}]"
    else:
        yield f"{path}: {'{}' if value == {} else _shown(value)}"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
