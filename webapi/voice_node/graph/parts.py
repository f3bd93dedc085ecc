"""The parts of a conversation that a graph gives to its orchestrators.

It imports `converse`, so it is imported itself only where a graph gives something.
"""

from __future__ import annotations

from webapi.voice_node.converse.check_parts import ChosenPart
from webapi.voice_node.converse.part_names import PartChoice
from webapi.voice_node.graph.check import answerers_of
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.orchestrator import find_class


def parts_of(graph: GraphSpec) -> list[ChosenPart]:
    """The parts, each with its place. Raises UserError where an argument is wrong."""
    return [
        ChosenPart(given.where, value)
        for _, name, given in answerers_of(graph)
        if given
        for value in given.keywords(find_class(name)).values()
        if isinstance(value, PartChoice)
    ]
