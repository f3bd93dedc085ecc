"""What flows between the ports and streams of a graph: the edges that every drawing shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webapi.voice_node.graph.spec import INPUTS, GraphSpec, StepSpec
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import Kind

FEEDBACK = "playback"  # the input port that leads back from the speaker: drawings show it apart from the others
UNDRAWN = "asked"  # the input port that every `turn_events` reads: a line for it in each drawing would tell nothing


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
        found.extend(Edge(maker, target, step, argument, kinds[maker]) for maker in sources if maker != UNDRAWN)

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
    """The operator's arguments as `name: value`; with `defaults=False` without those at their default."""
    fields = TABLE[step.operator].arguments.model_fields
    return [
        f"{name}: {_shown(value)}"
        for name, value in step.arguments.items()
        if defaults or value != fields[name].default
    ]


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
