"""Draws a graph as text of 80 columns, from top to bottom, as `git log --graph` draws a history."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from webapi.voice_node.graph.edges import FEEDBACK, UNDRAWN, edges, shown_arguments
from webapi.voice_node.graph.spec import INPUTS, GraphSpec, StepSpec

COLUMNS = 80


def text(graph: GraphSpec, about: str = "") -> str:
    """The drawing: a box for each stream with its operators and kinds, and lines from each stream to its readers.

    `about` stands behind the graph's name in the first line.
    """
    title = textwrap.wrap(f"{graph.name}: {about}" if about else graph.name, COLUMNS)
    return "\n".join([*title, "", *_Drawing(graph).lines()]) + "\n"


class _Drawing:
    """The rows of the drawing. A stream has a lane, a vertical line on the left, until its last reader is drawn."""

    def __init__(self, graph: GraphSpec) -> None:
        self._graph = graph
        self._edges = edges(graph)
        # The feedback gets a lane only where a stream begins with it; an argument that reads it is a note.
        self._drawn = [edge for edge in self._edges if edge.source != FEEDBACK or not edge.argument]
        self._lanes: list[str] = []  # the stream or port in each lane, "" in a free one
        self._read: set[str] = set()  # the targets that are drawn
        self._width = 2 * self._most_lanes() + 2

    def lines(self) -> Iterator[str]:
        """Every row, from top to bottom."""
        for port in INPUTS:
            yield from self._begin(port, f"  {port}, {INPUTS[port]}")
        yield from self._ports()
        for stream in self._graph.streams:
            if not stream.steps:
                continue
            yield self._arrive(stream.name, f"┌ {stream.name}")
            for i, step in enumerate(stream.steps):
                if i:
                    yield self._beside(f"│   ↓ {stream.steps[i - 1].gives}")
                yield from map(self._beside, self._step(step))
            yield from self._begin(stream.name, f"└ {stream.gives}")
            yield from self._ports()
        readers = dict.fromkeys(edge.target for edge in self._edges if edge.source == FEEDBACK)
        if readers:
            yield f"{FEEDBACK}: what the speaker has really played; read by {', '.join(readers)}"

    def _step(self, step: StepSpec) -> list[str]:
        """An operator and its arguments, in as many rows as they take."""
        notes = [
            *shown_arguments(step),
            *(f"{name} ◄ {stream}" for name, stream in step.reads.items() if stream not in UNDRAWN),
        ]
        head = f"│ {step.operator:12} "
        room = COLUMNS - self._width - len(head)
        whole = (note.replace(" ", "\N{NO-BREAK SPACE}") if len(note) < room else note for note in notes)
        rows = textwrap.wrap(", ".join(whole), room) or [""]
        rows = [row.replace("\N{NO-BREAK SPACE}", " ") for row in rows]
        return [(head if i == 0 else "│".ljust(len(head))) + row for i, row in enumerate(rows)]

    def _ports(self) -> Iterator[str]:
        """The output ports whose sources are all drawn."""
        for port in self._graph.outputs:
            sources = {edge.source for edge in self._drawn if edge.target == port}
            if port not in self._read and sources and sources <= set(self._lanes):
                yield self._arrive(port, f"  {port}")
                yield self._beside("")

    def _arrive(self, target: str, label: str) -> str:
        """The row in which the lanes of everything that `target` reads lead to it."""
        self._read.add(target)
        sources = {edge.source for edge in self._drawn if edge.target == target}
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
        return (row.ljust(self._width - 1, "─") + "►" + label).rstrip()

    def _begin(self, source: str, label: str) -> Iterator[str]:
        """The row in which `source` leads into a free lane, and an empty one; nothing where no reader is left."""
        if not self._waits(source):
            return
        if "" not in self._lanes:
            self._lanes.append("")
        mine = self._lanes.index("")
        before = "".join("│ " if lane else "  " for lane in self._lanes[:mine])
        after = "".join("│─" if lane else "──" for lane in self._lanes[mine + 1 :])
        yield (before + "╭─" + after).ljust(self._width, "─") + label
        self._lanes[mine] = source
        yield self._beside("")

    def _beside(self, label: str) -> str:
        """A row in which every lane goes straight on."""
        row = "".join("│ " if lane else "  " for lane in self._lanes)
        return (row.ljust(self._width) + label).rstrip()

    def _waits(self, source: str) -> bool:
        """Whether a reader of `source` is not drawn yet."""
        return any(edge.source == source and edge.target not in self._read for edge in self._drawn)

    def _most_lanes(self) -> int:
        """An upper bound of the lanes in use at once."""
        order = [*INPUTS, *(stream.name for stream in self._graph.streams), *self._graph.outputs]
        at = {name: i for i, name in enumerate(order)}
        ends = {edge.source: 0 for edge in self._drawn}
        for edge in self._drawn:
            ends[edge.source] = max(ends[edge.source], at[edge.target])
        return max(sum(at[source] < i <= end for source, end in ends.items()) for i in range(len(order)))
