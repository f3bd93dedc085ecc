"""A graph as an SVG picture: for a slide, a README, a page. One file, no script, no font of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, zip_longest
from xml.sax.saxutils import escape

from webapi.voice_node.graph.layout import BOX_PAD, LINE_H, NAME_H, PORT_H, PORT_W, Layout, Part, lay_out
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.graph.text import FEEDBACK, edges
from webapi.voice_node.operators.kinds import Kind

MARGIN, HEAD, FOOT = 36, 84, 104
SIDE = 40  # right of the ports, for the way from the speaker back
INK, QUIET, LINE = "#1f2328", "#59636e", "#d1d9e0"
BACK = "#6e7781"  # what leads back
COLOURS = {  # by kind: all dark enough to be read as text on white (4.5 : 1)
    "audio": "#0969da",
    "frames": "#0b7285",
    "voiced": "#1a7f37",
    "turns": "#9a6700",
    "replies": "#8250df",
}
OTHER = "#bf3989"  # a kind that a package has added
STYLE = f"""
text {{ font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: {INK} }}
.graph {{ font-size: 24px; font-weight: 600 }}
.about {{ font-size: 15px; fill: {QUIET} }}
.stream {{ font-size: 13px; font-weight: 600; fill: {QUIET} }}
.operator {{ font-size: 15px; font-weight: 600 }}
.argument {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: 12px;
  fill: {QUIET} }}
.kind {{ font-size: 12px }}
.port {{ font-size: 14px; font-weight: 600 }}
.flow {{ fill: none; stroke-width: 2 }}
.back {{ fill: none; stroke-width: 1.5; stroke-dasharray: 5 4; stroke: {BACK} }}
"""


def svg(graph: GraphSpec, about: str = "") -> str:
    """The picture as an SVG file. `about` is a sentence that stands below the name."""
    return "\n".join(_Picture(graph, about).lines()) + "\n"


class _Picture:
    def __init__(self, graph: GraphSpec, about: str) -> None:
        self._graph, self._about = graph, about
        self._layout: Layout = lay_out(graph)
        self._feedback = self._layout.feedback
        layout = self._layout
        self._bus_y = HEAD + layout.height + 62 if self._feedback else HEAD + layout.height
        self._width = MARGIN * 2 + max(layout.width + (SIDE if self._feedback else 0), 8 * len(about))
        self._height = self._bus_y + (MARGIN + PORT_H / 2 if self._feedback else MARGIN)
        for part in layout.parts.values():
            part.place(part.x + MARGIN, part.y + HEAD)

    def lines(self) -> Iterator[str]:
        name = escape(self._graph.name)
        width, height = round(self._width), round(self._height)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' role="img" aria-labelledby="title desc">'
        )
        yield f'<title id="title">The graph {name}</title>'
        yield f'<desc id="desc">{escape(self._in_words())}</desc>'
        yield f"<style>{STYLE}</style>"
        yield "<defs>"
        colours = {**COLOURS, "other": OTHER, FEEDBACK: BACK}
        for kind, colour in colours.items():
            yield (
                f'<marker id="to-{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="10" markerHeight="10" '
                f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z" fill="{colour}"/></marker>'
            )
        yield "</defs>"
        yield '<rect width="100%" height="100%" fill="#fff"/>'
        yield f'<text class="graph" x="{MARGIN}" y="{MARGIN + 10}">{name}</text>'
        yield f'<text class="about" x="{MARGIN}" y="{MARGIN + 33}">{escape(self._about)}</text>'
        parts = list(self._layout.parts.values())
        for part in parts:
            yield from self._card(part) if part.kind == "stream" else ()
        yield from self._flows()
        if self._feedback:
            yield from self._back()
        for part in parts:
            yield from self._boxes(part)
            if part.kind == "port":
                yield from _port(part.name, part.x, part.y)
        yield "</svg>"

    def _in_words(self) -> str:
        """The picture for who does not see it."""
        streams = [
            f"{s.name}: {' then '.join(step.operator for step in s.steps)}, which gives {s.gives}"
            for s in self._graph.in_order()
            if s.steps
        ]
        flows = [f"{e.source} flows into {e.target}" for e in edges(self._graph)]
        return f"{self._about} Streams: {'; '.join(streams)}. {'; '.join(flows)}.".strip()

    # ------------------------------------------------ parts

    def _card(self, part: Part) -> Iterator[str]:
        yield (
            f'<rect x="{_n(part.x)}" y="{_n(part.y)}" width="{_n(part.width)}" height="{_n(part.height)}" '
            f'rx="12" fill="#f6f8fa" stroke="{LINE}"/>'
        )
        yield f'<text class="stream" x="{_n(part.x + 22)}" y="{_n(part.y + 22)}">{escape(part.name)}</text>'

    def _boxes(self, part: Part) -> Iterator[str]:
        for box, after in zip_longest(part.boxes, part.boxes[1:]):
            colour = _colour(box.step.gives)
            yield (
                f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" '
                f'rx="8" fill="#fff" stroke="{colour}" stroke-width="1.5"/>'
            )
            y = box.y + BOX_PAD + 15
            yield f'<text class="operator" x="{_n(box.x + 12)}" y="{_n(y)}">{escape(box.step.operator)}</text>'
            for i, line in enumerate(box.lines):
                at = y + NAME_H - 2 + i * LINE_H
                yield f'<text class="argument" x="{_n(box.x + 12)}" y="{_n(at)}">{escape(line)}</text>'
            if after:
                x, top = box.x + 24, box.y + box.height
                yield _path(f"M{_n(x)} {_n(top)}V{_n(after.y)}", box.step.gives)
                words = escape(str(box.step.gives))
                yield (
                    f'<text class="kind" x="{_n(x + 10)}" y="{_n((top + after.y) / 2 + 4)}" '
                    f'style="fill:{colour}">{words}</text>'
                )

    # ------------------------------------------------ what flows

    def _flows(self) -> Iterator[str]:
        for edge, passes in self._layout.ways:
            source, target = self._layout.parts[edge.source], self._layout.parts[edge.target]
            stops = [source.way_out()]
            for part in passes:
                y = part.y + part.height / 2
                stops += [(part.x, y), (part.x + part.width, y)]
            stops.append(target.way_in(edge.step, aside=bool(edge.argument)))
            way = f"M{_n(stops[0][0])} {_n(stops[0][1])}"
            for i, ((x0, y0), (x1, y1)) in enumerate(pairwise(stops)):
                middle = (x0 + x1) / 2
                way += (
                    f"L{_n(x1)} {_n(y1)}"
                    if i % 2
                    else f"C{_n(middle)} {_n(y0)} {_n(middle)} {_n(y1)} {_n(x1)} {_n(y1)}"
                )
            yield _path(way, edge.kind)
        yield from self._labels()

    def _labels(self) -> Iterator[str]:
        """What flows, once for each source: beside its straightest edge."""
        best: dict[str, tuple[float, float, float, Kind]] = {}
        for edge, passes in self._layout.ways:
            source, target = self._layout.parts[edge.source], self._layout.parts[edge.target]
            _, y0 = source.way_out()
            to = passes[0] if passes else target
            y1 = to.y + to.height / 2 if passes else target.way_in(edge.step, aside=bool(edge.argument))[1]
            steep = abs(y1 - y0)
            if edge.source not in best or steep < best[edge.source][0]:
                left = source.x + source.width
                best[edge.source] = (steep, (left + to.x) / 2, (y0 + y1) / 2, edge.kind)
        for _, x, y, kind in best.values():
            words = [word for word in (kind.name, str(kind).removeprefix(kind.name).strip()) if word]
            wide, high = max(map(len, words)) * 6.6 + 6, 15 * len(words) + 2
            yield (
                f'<rect x="{_n(x - wide / 2)}" y="{_n(y - high / 2)}" width="{_n(wide)}" height="{_n(high)}" '
                'rx="5" fill="#fff"/>'
            )
            for i, word in enumerate(words):
                yield (
                    f'<text class="kind" text-anchor="middle" x="{_n(x)}" y="{_n(y - high / 2 + 12.5 + 15 * i)}" '
                    f'style="fill:{_colour(kind)}">{escape(word)}</text>'
                )

    def _back(self) -> Iterator[str]:
        """What the speaker has played, on its way back below everything."""
        layout, y = self._layout, self._bus_y
        left = max(p.x + p.width for p in layout.parts.values()) - PORT_W
        speaker = layout.parts.get("speaker")
        if speaker:
            x0, y0 = speaker.x + PORT_W, speaker.y + PORT_H / 2
            yield (
                f'<path class="back" marker-end="url(#to-playback)" '
                f'd="M{_n(x0)} {_n(y0)}h14q12 0 12 12V{_n(y - 12)}q0 12 -12 12H{_n(left + PORT_W)}"/>'
            )
        for edge in self._feedback:
            part = layout.parts[edge.target]
            x1, y1 = part.way_in(edge.step, aside=bool(edge.argument))
            x = part.x + 10
            yield (
                f'<path class="back" marker-end="url(#to-playback)" '
                f'd="M{_n(left)} {_n(y)}H{_n(x + 8)}q-8 0 -8 -8V{_n(y1 + 6)}q0 -6 6 -6H{_n(x1)}"/>'
            )
        yield from _port(FEEDBACK, left, y - PORT_H / 2)
        yield (
            f'<text class="kind" text-anchor="end" x="{_n(left - 14)}" y="{_n(y - 8)}" style="fill:{QUIET}">'
            "what was really played</text>"
        )


def _port(name: str, x: float, y: float) -> Iterator[str]:
    yield (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{PORT_W}" height="{PORT_H}" rx="{PORT_H / 2:g}" '
        f'fill="{BACK if name == FEEDBACK else INK}"/>'
    )
    yield (
        f'<text class="port" text-anchor="middle" x="{_n(x + PORT_W / 2)}" y="{_n(y + PORT_H / 2 + 5)}" '
        f'style="fill:#fff">{escape(name)}</text>'
    )


def _path(way: str, kind: Kind) -> str:
    known = kind.name if kind.name in COLOURS else "other"
    return f'<path class="flow" stroke="{_colour(kind)}" marker-end="url(#to-{known})" d="{way}"/>'


def _colour(kind: Kind) -> str:
    return COLOURS.get(kind.name, OTHER)


def _n(value: float) -> str:
    """A coordinate with at most one digit after the point: the same file on every machine."""
    return f"{value:.1f}".removesuffix(".0")
