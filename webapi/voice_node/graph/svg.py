"""Draws a graph as an SVG picture for slides, READMEs and pages: one file, without scripts, images or fonts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, zip_longest
from xml.sax.saxutils import escape

from webapi.voice_node.graph.edges import FEEDBACK, Edge, edges
from webapi.voice_node.graph.layout import BOX_PAD, LINE_H, NAME_H, PORT_H, PORT_W, Layout, Part, lay_out
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.graph.svg_shapes import (
    BACK,
    COLOURS,
    LINE,
    OTHER,
    QUIET,
    STYLE,
    arrow,
    arrow_back,
    colour_of,
    label,
    marker,
    number,
    port,
    rectangle,
)
from webapi.voice_node.operators.kinds import Kind

MARGIN, HEAD = 36, 84  # around the picture; above the parts, for name and description
SIDE = 40  # right of the ports, for the way from the speaker back

Point = tuple[float, float]


def svg(graph: GraphSpec, about: str = "") -> str:
    """The picture as the text of an SVG file. `about` is a sentence that stands below the graph's name."""
    return "\n".join(_Picture(graph, about).lines()) + "\n"


class _Picture:
    """The elements of the picture; its layout is moved to leave room for margin and heading."""

    def __init__(self, graph: GraphSpec, about: str) -> None:
        self._graph, self._about = graph, about
        layout: Layout = lay_out(graph)
        self._layout = layout
        self._feedback = layout.feedback
        self._back_y = HEAD + layout.height + (62 if self._feedback else 0)  # of the way from the speaker back
        self._width = MARGIN * 2 + max(layout.width + (SIDE if self._feedback else 0), 8 * len(about))
        self._height = self._back_y + MARGIN + (PORT_H / 2 if self._feedback else 0)
        for part in layout.parts.values():
            part.place(part.x + MARGIN, part.y + HEAD)

    def lines(self) -> Iterator[str]:
        """The file's lines; what is drawn later lies on top."""
        parts = self._layout.parts.values()
        yield from self._head()
        for part in parts:
            if part.kind == "stream":
                yield from self._card(part)
        for edge, passes in self._layout.ways:
            yield arrow(_curve(self._stops(edge, passes)), edge.kind)
        yield from self._labels()
        if self._feedback:
            yield from self._back()
        for part in parts:
            yield from self._boxes(part)
            if part.kind == "port":
                yield from port(part.name, part.x, part.y)
        yield "</svg>"

    def _head(self) -> Iterator[str]:
        name, width, height = self._graph.name, round(self._width), round(self._height)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' role="img" aria-labelledby="title desc">'
        )
        yield f'<title id="title">The graph {escape(name)}</title>'
        yield f'<desc id="desc">{escape(self._description())}</desc>'
        yield f"<style>{STYLE}</style>"
        yield "<defs>"
        for kind, colour in {**COLOURS, "other": OTHER, FEEDBACK: BACK}.items():
            yield marker(kind, colour)
        yield "</defs>"
        yield '<rect width="100%" height="100%" fill="#fff"/>'
        yield label("graph", MARGIN, MARGIN + 10, name)
        yield label("about", MARGIN, MARGIN + 33, self._about)

    def _description(self) -> str:
        """The picture as a text, for screen readers."""
        streams = [
            f"{stream.name}: {' then '.join(step.operator for step in stream.steps)}, which gives {stream.gives}"
            for stream in self._graph.streams
            if stream.steps
        ]
        flows = [f"{edge.source} flows into {edge.target}" for edge in edges(self._graph)]
        return f"{self._about} Streams: {'; '.join(streams)}. {'; '.join(flows)}.".strip()

    # ------------------------------------------------ parts

    def _card(self, part: Part) -> Iterator[str]:
        yield rectangle(part.x, part.y, part.width, part.height, rx=12, fill="#f6f8fa", stroke=LINE)
        yield label("stream", part.x + 22, part.y + 22, part.name)

    def _boxes(self, part: Part) -> Iterator[str]:
        """The operators of a stream, and between two of them an arrow with its kind."""
        for box, after in zip_longest(part.boxes, part.boxes[1:]):
            gives = box.step.gives
            colour, y = colour_of(gives), box.y + BOX_PAD + 15
            yield rectangle(box.x, box.y, box.width, box.height, rx=8, fill="#fff", stroke=colour, stroke_width="1.5")
            yield label("operator", box.x + 12, y, box.step.operator)
            for i, line in enumerate(box.lines):
                yield label("argument", box.x + 12, y + NAME_H - 2 + i * LINE_H, line)
            if after:
                x, top = box.x + 24, box.y + box.height
                yield arrow(f"M{number(x)} {number(top)}V{number(after.y)}", gives)
                yield label("kind", x + 10, (top + after.y) / 2 + 4, str(gives), fill=colour)

    # ------------------------------------------------ flows

    def _stops(self, edge: Edge, passes: list[Part]) -> list[Point]:
        """The points that an edge goes through: its beginning, both sides of every part that it passes, its end."""
        stops = [self._layout.parts[edge.source].way_out()]
        for part in passes:
            y = part.y + part.height / 2
            stops += [(part.x, y), (part.x + part.width, y)]
        return [*stops, self._layout.parts[edge.target].way_in(edge.step, aside=bool(edge.argument))]

    def _labels(self) -> Iterator[str]:
        """The kind that flows, once for each source: beside the first curve of its flattest edge."""
        best: dict[str, tuple[float, float, float, Kind]] = {}
        for edge, passes in self._layout.ways:
            source = self._layout.parts[edge.source]
            following = passes[0] if passes else self._layout.parts[edge.target]
            (_, y0), (_, y1) = self._stops(edge, passes)[:2]
            slope = abs(y1 - y0)
            if edge.source not in best or slope < best[edge.source][0]:
                x = (source.x + source.width + following.x) / 2
                best[edge.source] = (slope, x, (y0 + y1) / 2, edge.kind)
        for _, x, y, kind in best.values():
            lines = [line for line in (kind.name, str(kind).removeprefix(kind.name).strip()) if line]
            width, height = max(map(len, lines)) * 6.6 + 6, 15 * len(lines) + 2
            yield rectangle(x - width / 2, y - height / 2, width, height, rx=5, fill="#fff")
            for i, line in enumerate(lines):
                baseline = y - height / 2 + 12.5 + 15 * i
                yield label("kind", x, baseline, line, anchor="middle", fill=colour_of(kind))

    def _back(self) -> Iterator[str]:
        """The feedback: from the speaker below all parts to its port, and from there to its readers."""
        parts, y = self._layout.parts, self._back_y
        left = max(part.x + part.width for part in parts.values()) - PORT_W
        speaker = parts.get("speaker")
        if speaker:
            x0, y0 = speaker.x + PORT_W, speaker.y + PORT_H / 2
            right = left + PORT_W
            yield arrow_back(f"M{number(x0)} {number(y0)}h14q12 0 12 12V{number(y - 12)}q0 12 -12 12H{number(right)}")
        for edge in self._feedback:
            part = parts[edge.target]
            x1, y1 = part.way_in(edge.step, aside=bool(edge.argument))
            x = part.x + 10
            yield arrow_back(
                f"M{number(left)} {number(y)}H{number(x + 8)}q-8 0 -8 -8V{number(y1 + 6)}q0 -6 6 -6H{number(x1)}"
            )
        yield from port(FEEDBACK, left, y - PORT_H / 2)
        yield label("kind", left - 14, y - 8, "what was really played", anchor="end", fill=QUIET)


def _curve(stops: list[Point]) -> str:
    """An SVG path through the stops: curves between the columns, straight lines through the parts that it passes."""
    path = f"M{number(stops[0][0])} {number(stops[0][1])}"
    for i, ((x0, y0), (x1, y1)) in enumerate(pairwise(stops)):
        end, middle = f"{number(x1)} {number(y1)}", number((x0 + x1) / 2)
        path += f"L{end}" if i % 2 else f"C{middle} {number(y0)} {middle} {number(y1)} {end}"
    return path
