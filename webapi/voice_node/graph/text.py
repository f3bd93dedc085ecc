"""A graph as something to look at: who reads whom, and that as text of 80 columns or as a Mermaid flowchart."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from webapi.voice_node.graph.spec import INPUTS, GraphSpec, StepSpec
from webapi.voice_node.operators import TABLE
from webapi.voice_node.operators.kinds import Kind

COLUMNS = 80
FEEDBACK = "playback"  # the one port that leads back: it is drawn apart


@dataclass(frozen=True)
class Edge:
    """Something that flows from an input port or a stream to an operator of another stream, or to an output port."""

    source: str
    target: str
    step: int  # the operator of `target` that reads it; 0 for a port
    argument: str  # by which argument; "" where it is the stream that flows through
    kind: Kind


def edges(graph: GraphSpec) -> list[Edge]:
    """All that flows between ports and streams. A stream without operators only passes on, and is left out."""
    kinds = {**INPUTS, **{s.name: s.gives for s in graph.streams}}
    makers: dict[str, tuple[str, ...]] = {port: (port,) for port in INPUTS}
    found: list[Edge] = []

    def read(names: Sequence[str], target: str, step: int = 0, argument: str = "") -> None:
        sources = dict.fromkeys(maker for name in names for maker in makers[name])
        found.extend(Edge(maker, target, step, argument, kinds[maker]) for maker in sources)

    for stream in graph.in_order():
        if stream.steps:
            makers[stream.name] = (stream.name,)
            read(stream.sources, stream.name)
        else:
            makers[stream.name] = tuple(dict.fromkeys(m for source in stream.sources for m in makers[source]))
        for i, step in enumerate(stream.steps):
            for argument, name in step.reads.items():
                read([name], stream.name, i, argument)
    for port, names in graph.outputs.items():
        read(names, port)
    return found


def arguments(step: StepSpec, *, all_of_them: bool = True) -> list[str]:
    """The operator's arguments as `name: value`; without `all_of_them` only those that are not at their default."""
    fields = TABLE[step.operator].arguments.model_fields
    shown = step.arguments.items()
    return [f"{name}: {_plain(v)}" for name, v in shown if all_of_them or v != fields[name].default]


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())


# ---------------------------------------------------------------- text


def text(graph: GraphSpec, about: str = "") -> str:
    """The graph in 80 columns: a box a stream, its operators and what flows between them; lines for who reads whom."""
    title = textwrap.wrap(f"{graph.name}: {about}" if about else graph.name, COLUMNS)
    return "\n".join([*title, "", *_Text(graph).lines()]) + "\n"


class _Text:
    """Draws top down, as `git log --graph` does: each stream that is still to be read has a lane on the left."""

    def __init__(self, graph: GraphSpec) -> None:
        self._graph = graph
        self._edges = edges(graph)
        # The feedback is a lane only where a stream begins with it; an argument that reads it is a note.
        self._drawn = [e for e in self._edges if e.source != FEEDBACK or not e.argument]
        self._lanes: list[str] = []  # what each lane carries, "" where it is free
        self._read: set[str] = set()  # the targets that are drawn
        self._width = 2 * self._deepest() + 2

    def lines(self) -> Iterator[str]:
        for port in INPUTS:
            yield from self._begin(port, f"  {port}, {INPUTS[port]}")
        yield from self._ports()
        for stream in self._graph.in_order():
            if not stream.steps:
                continue
            yield self._arrive(stream.name, f"┌ {stream.name}")
            for i, step in enumerate(stream.steps):
                if i:
                    yield self._beside(f"│   ↓ {stream.steps[i - 1].gives}")
                yield from map(self._beside, self._step(step))
            yield from self._begin(stream.name, f"└ {stream.gives}")
            yield from self._ports()
        readers = dict.fromkeys(e.target for e in self._edges if e.source == FEEDBACK)
        if readers:
            yield f"{FEEDBACK}: what the speaker has really played; read by {', '.join(readers)}"

    def _step(self, step: StepSpec) -> list[str]:
        words = [*arguments(step), *(f"{name} ◄ {stream}" for name, stream in step.reads.items())]
        head = f"│ {step.operator:12} "
        together = ", ".join(word.replace(" ", "\N{NO-BREAK SPACE}") for word in words)
        rows = textwrap.wrap(together, COLUMNS - self._width - len(head)) or [""]
        rows = [row.replace("\N{NO-BREAK SPACE}", " ") for row in rows]
        return [(head if i == 0 else "│".ljust(len(head))) + row for i, row in enumerate(rows)]

    def _ports(self) -> Iterator[str]:
        """The output ports of which all that they read is drawn."""
        for port in self._graph.outputs:
            sources = {e.source for e in self._drawn if e.target == port}
            if port not in self._read and sources and sources <= set(self._lanes):
                yield self._arrive(port, f"  {port}")
                yield self._beside("")

    def _arrive(self, target: str, words: str) -> str:
        """The row on which everything that `target` reads comes in from its lane."""
        self._read.add(target)
        sources = {e.source for e in self._drawn if e.target == target}
        row, inside = "", False
        for i, lane in enumerate(self._lanes):
            if lane in sources and lane:
                last = not self._waits(lane)
                row += ("┴" if last else "┼") if inside else ("╰" if last else "├")
                inside = True
                if last:
                    self._lanes[i] = ""
            else:
                row += "│" if lane else "─" if inside else " "
            row += "─" if inside else " "
        return (row.ljust(self._width - 1, "─") + "►" + words).rstrip()

    def _begin(self, source: str, words: str) -> Iterator[str]:
        """The row on which `source` goes out into a lane, where somebody reads it; and one below it for the eye."""
        if not self._waits(source):
            return
        if "" not in self._lanes:
            self._lanes.append("")
        mine = self._lanes.index("")
        before = "".join("│ " if lane else "  " for lane in self._lanes[:mine])
        after = "".join("│─" if lane else "──" for lane in self._lanes[mine + 1 :])
        yield (before + "╭─" + after).ljust(self._width, "─") + words
        self._lanes[mine] = source
        yield self._beside("")

    def _beside(self, words: str) -> str:
        row = "".join("│ " if lane else "  " for lane in self._lanes)
        return (row.ljust(self._width) + words).rstrip()

    def _waits(self, source: str) -> bool:
        """Whether somebody who reads `source` is still to be drawn."""
        return any(e.source == source and e.target not in self._read for e in self._drawn)

    def _deepest(self) -> int:
        """How many lanes there can be at once, at most: one for each that is read."""
        order = [*INPUTS, *(s.name for s in self._graph.in_order()), *self._graph.outputs]
        at = {name: i for i, name in enumerate(order)}
        spans = {s: max(at[e.target] for e in self._drawn if e.source == s) for s in {e.source for e in self._drawn}}
        return max(sum(at[s] < i <= end for s, end in spans.items()) for i in range(len(order)))


# ---------------------------------------------------------------- Mermaid


def mermaid(graph: GraphSpec) -> str:
    """A Mermaid flowchart: a subgraph a stream, the kinds on the arrows, the feedback dotted."""
    found = edges(graph)
    lines = ["flowchart LR"]
    ports = dict.fromkeys([*(e.source for e in found if e.source in INPUTS), *graph.outputs])
    lines += [f"    {port}([{port}])" for port in ports]
    last = {}
    for stream in graph.in_order():
        if not stream.steps:
            continue
        lines.append(f'    subgraph stream_{stream.name}["{stream.name}"]')
        for i, step in enumerate(stream.steps):
            words = "<br/>".join([f"<b>{step.operator}</b>", *map(_escaped, arguments(step, all_of_them=False))])
            lines.append(f'        {stream.name}_{i}["{words}"]')
        for i, step in enumerate(stream.steps[:-1]):
            lines.append(f'        {stream.name}_{i} -- "{step.gives}" --> {stream.name}_{i + 1}')
        lines.append("    end")
        last[stream.name] = f"{stream.name}_{len(stream.steps) - 1}"
    for edge in found:
        source = last.get(edge.source, edge.source)
        target = edge.target if edge.target in graph.outputs else f"{edge.target}_{edge.step}"
        lines.append(
            f"    {source} -.-> {target}" if edge.source == FEEDBACK else f'    {source} -- "{edge.kind}" --> {target}'
        )
    if FEEDBACK in ports and "speaker" in graph.outputs:
        lines.append(f"    speaker -.-> {FEEDBACK}")
    return "\n".join(lines) + "\n"


def _escaped(words: str) -> str:
    """Text for a Mermaid label: what its grammar or HTML would read as its own becomes an entity."""
    return "".join(c if c.isalnum() or c in " :_.,/-" else f"#{ord(c)};" for c in words)
