"""Draws a graph as a Mermaid flowchart."""

from __future__ import annotations

from webapi.voice_node.graph.edges import FEEDBACK, edges, shown_arguments
from webapi.voice_node.graph.spec import INPUTS, GraphSpec


def mermaid(graph: GraphSpec) -> str:
    """The flowchart's text: a subgraph for each stream, the kinds on the arrows, the feedback as dotted arrows."""
    found = edges(graph)
    ports = dict.fromkeys([*(edge.source for edge in found if edge.source in INPUTS), *graph.outputs])
    lines = ["flowchart LR", *(f"    {port}([{port}])" for port in ports)]
    last_step = {}  # by stream: the node that its readers' arrows begin at
    for stream in graph.streams:
        if not stream.steps:
            continue
        lines.append(f'    subgraph stream_{stream.name}["{stream.name}"]')
        for i, step in enumerate(stream.steps):
            arguments = map(_escaped, shown_arguments(step, defaults=False))
            label = "<br/>".join([f"<b>{step.operator}</b>", *arguments])
            lines.append(f'        {stream.name}_{i}["{label}"]')
        for i, step in enumerate(stream.steps[:-1]):
            lines.append(f'        {stream.name}_{i} -- "{step.gives}" --> {stream.name}_{i + 1}')
        lines.append("    end")
        last_step[stream.name] = f"{stream.name}_{len(stream.steps) - 1}"
    for edge in found:
        source = last_step.get(edge.source, edge.source)
        target = edge.target if edge.target in graph.outputs else f"{edge.target}_{edge.step}"
        arrow = "-.->" if edge.source == FEEDBACK else f'-- "{edge.kind}" -->'
        lines.append(f"    {source} {arrow} {target}")
    if FEEDBACK in ports and "speaker" in graph.outputs:
        lines.append(f"    speaker -.-> {FEEDBACK}")
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    """The text of a label, with entities for every character that Mermaid or HTML could read as markup."""
    return "".join(c if c.isalnum() or c in " :_.,/-" else f"#{ord(c)};" for c in label)
