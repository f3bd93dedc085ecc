"""The shapes of a graph's SVG picture: rectangles, labels, ports, arrows and their colours. Coordinates are pixels."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from webapi.voice_node.graph.edges import FEEDBACK
from webapi.voice_node.graph.layout import PORT_H, PORT_W
from webapi.voice_node.operators.kinds import Kind

INK, QUIET, LINE = "#1f2328", "#59636e", "#d1d9e0"
BACK = "#6e7781"  # the way from the speaker back
COLOURS = {  # by kind: each dark enough for text on white (a contrast of 4.5 : 1)
    "audio": "#0969da",
    "frames": "#0b7285",
    "voiced": "#1a7f37",
    "turns": "#9a6700",
    "replies": "#8250df",
}
OTHER = "#bf3989"  # a kind of another package
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


def number(value: float) -> str:
    """A coordinate with at most one decimal, so that the file is the same on every machine."""
    return f"{value:.1f}".removesuffix(".0")


def colour_of(kind: Kind) -> str:
    """The colour of a kind's arrows and labels."""
    return COLOURS.get(kind.name, OTHER)


def rectangle(
    x: float, y: float, width: float, height: float, *, rx: float, fill: str, stroke: str = "", stroke_width: str = ""
) -> str:
    """A rectangle with corners of radius `rx`."""
    line = (f' stroke="{stroke}"' if stroke else "") + (f' stroke-width="{stroke_width}"' if stroke_width else "")
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" '
        f'rx="{number(rx)}" fill="{fill}"{line}/>'
    )


def label(style: str, x: float, y: float, text: str, *, anchor: str = "", fill: str = "") -> str:
    """A line of text in a class of STYLE, at (x, y) by its `anchor`: its start, where none is given."""
    placed = (f' text-anchor="{anchor}"' if anchor else "") + f' x="{number(x)}" y="{number(y)}"'
    coloured = f' style="fill:{fill}"' if fill else ""
    return f'<text class="{style}"{placed}{coloured}>{escape(text)}</text>'


def port(name: str, x: float, y: float) -> Iterator[str]:
    """A port of the graph; (x, y) is its top left corner."""
    fill = BACK if name == FEEDBACK else INK
    yield rectangle(x, y, PORT_W, PORT_H, rx=PORT_H / 2, fill=fill)
    yield label("port", x + PORT_W / 2, y + PORT_H / 2 + 5, name, anchor="middle", fill="#fff")


def marker(name: str, colour: str) -> str:
    """The head of an arrow, for the arrows to `#to-NAME`."""
    return (
        f'<marker id="to-{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="10" markerHeight="10" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z" fill="{colour}"/></marker>'
    )


def arrow(path: str, kind: Kind) -> str:
    """An arrow along an SVG path, in the colour of the kind that flows there."""
    known = kind.name if kind.name in COLOURS else "other"
    return f'<path class="flow" stroke="{colour_of(kind)}" marker-end="url(#to-{known})" d="{path}"/>'


def arrow_back(path: str) -> str:
    """A dashed arrow along an SVG path, for the feedback."""
    return f'<path class="back" marker-end="url(#to-{FEEDBACK})" d="{path}"/>'
