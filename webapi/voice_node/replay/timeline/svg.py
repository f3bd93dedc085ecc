"""A replay as an SVG picture: the whole call at a glance, for a report or a README. No script, no font of its own."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from webapi.voice_node.replay.event_letters import kind_of
from webapi.voice_node.replay.timeline import words
from webapi.voice_node.replay.timeline.badges import RARE, legend
from webapi.voice_node.replay.timeline.lanes import lanes
from webapi.voice_node.replay.timeline.layout import HEAD, MARGIN, ROW, STYLE, WIDTH, row_spans
from webapi.voice_node.replay.timeline.marks import marks
from webapi.voice_node.replay.timeline.model import Timeline
from webapi.voice_node.replay.timeline.table import table, table_height
from webapi.voice_node.replay.timeline.texts import about, described
from webapi.voice_node.replay.timeline.wave import Outline

DENSE_S = 90.0  # with more than that in a row, the letters of all speech would hide it
DENSE_TEXT = "Of a call this long only what silenced the bot is marked; timeline.html beside this shows all."
MAX_TURNS = 40  # in the list


def svg(timeline: Timeline, outline: Outline) -> str:
    """Return the picture as an SVG file: the same text for the same replay."""
    return "\n".join(_lines(timeline, outline)) + "\n"


def _lines(timeline: Timeline, outline: Outline) -> Iterator[str]:
    rows = row_spans(timeline.seconds)
    dense = rows[0].seconds > DENSE_S
    shown = timeline.turns[:MAX_TURNS]
    more = len(timeline.turns) - len(shown)
    worded = bool(timeline.words) and not dense
    row_height = ROW + words.HEIGHT if worded else ROW
    table_y = HEAD + len(rows) * row_height
    height = table_y + table_height(shown, more) + MARGIN - 10
    name = escape(timeline.name)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" aria-labelledby="title desc">'
    )
    yield f'<title id="title">Timeline of {name}</title>'
    yield f'<desc id="desc">{escape(described(timeline, shown))}</desc>'
    yield f"<style>{STYLE}</style>"
    yield '<rect width="100%" height="100%" fill="#fff"/>'
    yield f'<text class="name" x="{MARGIN}" y="{MARGIN + 14}">{name}</text>'
    yield f'<text class="about" x="{MARGIN}" y="{MARGIN + 37}">{escape(about(timeline))}</text>'
    if dense:
        yield f'<text class="about" x="{MARGIN}" y="{MARGIN + 57}">{DENSE_TEXT}</text>'
    kinds = {kind_of(event) for event in timeline.events}
    yield from legend([kind for kind in RARE if kind in kinds])
    for i, row in enumerate(rows):
        yield f'<g transform="translate(0 {HEAD + i * row_height})">'
        yield from lanes(timeline, outline, row)
        yield from marks(timeline, row, dense=dense)
        if worded:
            yield from words.words(timeline, row)
        yield "</g>"
    if shown:
        yield from table(shown, more, table_y)
    yield "</svg>"
