"""Places the parts of a graph's picture: streams as cards in columns, from left to right as the audio flows.

A layered layout (Sugiyama, Tagawa, Toda 1981): a part stands one column to the right of the rightmost part that it
reads; an edge that passes a column has a place in it; a column is sorted by the mean place of what its parts read.
All sizes and coordinates are pixels from the picture's top left corner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from webapi.voice_node.graph.edges import FEEDBACK, Edge, edges, shown_arguments
from webapi.voice_node.graph.spec import INPUTS, GraphSpec, StepSpec

PAD, TITLE_H = 22, 34  # of a card: the margin around its boxes, the height of its name
BETWEEN = 34  # from one box of a card to the next
NAME_H, LINE_H, BOX_PAD = 20, 16, 9
PORT_W, PORT_H, PASS_H = 92, 40, 30
GAP_X, GAP_Y = 104, 30
# Widths of letters, on the large side, as the reader's font is not known.
NAME_EM, MONO_EM, NAME_PX, MONO_PX = 0.62, 0.6, 15, 12
TITLE_PX = 8.6  # a letter of a card's name
KIND_PX = 6.8  # a letter of a kind
MAX_LETTERS = 30  # in the line of an argument


@dataclass
class Box:
    """An operator with its arguments, a line each."""

    step: StepSpec
    lines: list[str]
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def height(self) -> float:
        """The height of name and arguments."""
        return 2 * BOX_PAD + NAME_H + LINE_H * len(self.lines)


@dataclass
class Part:
    """Something with a place in a column: the card of a stream, a port, or an edge that passes the column."""

    name: str
    kind: str  # "stream", "port", "pass"
    boxes: list[Box] = field(default_factory=list)
    column: int = 0
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0

    def place(self, x: float, y: float) -> None:
        """Move the part and its boxes to (x, y)."""
        self.x, self.y = x, y
        y += TITLE_H
        for box in self.boxes:
            box.x, box.y, box.width = x + PAD, y, self.width - 2 * PAD
            y += box.height + BETWEEN

    def way_in(self, step: int, *, aside: bool = False) -> tuple[float, float]:
        """Where an edge ends that the operator with index `step` reads; `aside`: by an argument."""
        if self.boxes:
            box = self.boxes[step]
            return box.x, box.y + box.height * (0.78 if aside else 0.4)
        return self.x, self.y + self.height / 2

    def way_out(self) -> tuple[float, float]:
        """Where the edges begin that leave this part."""
        if self.boxes:
            box = self.boxes[-1]
            return box.x + box.width, box.y + box.height * 0.5
        return self.x + self.width, self.y + self.height / 2


@dataclass
class Layout:
    """The placed parts by name, and each edge with the parts that it passes through."""

    parts: dict[str, Part]
    ways: list[tuple[Edge, list[Part]]]
    feedback: list[Edge]
    width: float
    height: float


def lay_out(graph: GraphSpec) -> Layout:
    """Place every part of the graph; the picture's top left corner is (0, 0)."""
    found = edges(graph)
    forward = [e for e in found if e.source != FEEDBACK]
    parts = _parts(graph, forward)
    _columns(graph, parts, forward)
    ways = [(e, _passes(parts, e)) for e in forward]
    columns: list[list[Part]] = [[] for _ in range(1 + max(p.column for p in parts.values()))]
    for part in parts.values():
        columns[part.column].append(part)
    _order(columns, ways, parts)
    tall = max(sum(p.height for p in c) + GAP_Y * (len(c) - 1) for c in columns)
    x = 0.0
    for column in columns:
        width = max(p.width for p in column)
        y = (tall - sum(p.height for p in column) - GAP_Y * (len(column) - 1)) / 2
        for part in column:
            if part.kind == "pass":
                part.width = width
            part.place(x + (width - part.width) / 2, y)
            y += part.height + GAP_Y
        x += width + GAP_X
    return Layout(parts, ways, [e for e in found if e.source == FEEDBACK], x - GAP_X, tall)


def _parts(graph: GraphSpec, forward: list[Edge]) -> dict[str, Part]:
    ports = dict.fromkeys([*(e.source for e in forward if e.source in INPUTS), *graph.outputs])
    parts = {name: Part(name, "port", width=PORT_W, height=PORT_H) for name in ports}
    for stream in graph.streams:
        if stream.steps:
            boxes = [Box(step, _lines(step)) for step in stream.steps]
            widest = max(len(stream.name) * TITLE_PX, *(_width(box) for box in boxes))
            height = TITLE_H + sum(b.height for b in boxes) + BETWEEN * (len(boxes) - 1) + PAD
            parts[stream.name] = Part(stream.name, "stream", boxes, width=widest + 2 * PAD, height=height)
    return parts


def _lines(step: StepSpec) -> list[str]:
    """The arguments that are not at their default, a line each; a long one is shortened in the middle."""
    shown = shown_arguments(step, defaults=False)
    half = MAX_LETTERS // 2
    return [a if len(a) <= MAX_LETTERS else a[: half - 1] + "…" + a[-half:] for a in shown]


def _width(box: Box) -> float:
    longest = max((len(line) for line in box.lines), default=0)
    below = len(str(box.step.gives)) * KIND_PX  # the kind, beside the arrow to the next box
    return 24 + max(len(box.step.operator) * NAME_EM * NAME_PX, longest * MONO_EM * MONO_PX, below + 2, 96)


def _columns(graph: GraphSpec, parts: dict[str, Part], forward: list[Edge]) -> None:
    for stream in graph.streams:
        if stream.steps:
            before = [parts[e.source].column for e in forward if e.target == stream.name]
            parts[stream.name].column = 1 + max(before, default=0)
    last = 1 + max(p.column for p in parts.values())
    for port in graph.outputs:
        parts[port].column = last


def _passes(parts: dict[str, Part], edge: Edge) -> list[Part]:
    """A part in each column between the ends of an edge. Edges from one source share the part in a column."""
    found = []
    for column in range(parts[edge.source].column + 1, parts[edge.target].column):
        name = f"{edge.source} past {column}"
        part = parts.setdefault(name, Part(name, "pass", column=column, height=PASS_H))
        found.append(part)
    return found


def _order(columns: list[list[Part]], ways: list[tuple[Edge, list[Part]]], parts: dict[str, Part]) -> None:
    """Sort each column by the mean place of what its parts read; at a tie the file's order stays."""
    readers: dict[str, list[str]] = {}
    for edge, passes in ways:
        chain = [edge.source, *(p.name for p in passes), edge.target]
        for source, target in pairwise(chain):
            readers.setdefault(target, []).append(source)
    for column in columns:
        column.sort(key=lambda p: _mean([columns[parts[s].column].index(parts[s]) for s in readers.get(p.name, [])]))


def _mean(values: list[int]) -> float:
    return sum(values) / len(values) if values else 0.0
