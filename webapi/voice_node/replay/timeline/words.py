"""The words of a timeline picture: a line for each side below a row; what nobody heard is struck through."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape

from webapi.voice_node.errors.plain_text import ELLIPSIS
from webapi.voice_node.replay.timeline.layout import (
    BOT,
    BOT_COLOUR,
    CALLER_COLOUR,
    LANE,
    LEFT,
    MARGIN,
    QUIET,
    RIGHT,
    RowSpan,
)
from webapi.voice_node.replay.timeline.model import SpokenWords, Timeline
from webapi.voice_node.replay.timeline.texts import px
from webapi.voice_node.replay.words import columns_of, fitted

HEIGHT = 30  # px that a row with words is taller
LINES = {"caller": (BOT + LANE + 17, CALLER_COLOUR), "bot": (BOT + LANE + 33, BOT_COLOUR)}  # y, colour
COLUMN = 6.9  # px: a letter of 12 px is narrower in all usual fonts, on average
GAP = 10  # px between the words of two turns
LEAST_COLUMNS = 4  # fewer say nothing


def words(timeline: Timeline, row: RowSpan) -> Iterator[str]:
    """Draw the words that begin in this row, each up to the next ones of its side."""
    yield f'<text class="lane" x="{MARGIN}" y="{LINES["caller"][0]}">words</text>'
    for side, (y, colour) in LINES.items():
        of_side = [each for each in timeline.words if each.side == side and row.start <= each.start < row.full_end]
        free = float(LEFT)  # where the words before end
        for each, after in pairwise([*of_side, None]):
            if each is not None:
                x, end = row.x(each.start), (row.x(after.start) - GAP if after else RIGHT)
                wide = columns_of(f"{each.heard} {each.unheard}".strip()) * COLUMN
                x = x if after else max(free, min(x, end - wide))  # the last ones may begin earlier
                yield from _text(each, x, y, colour, int((end - x) / COLUMN))
                free = min(end, x + wide) + GAP


def _text(said: SpokenWords, x: float, y: float, colour: str, columns: int) -> Iterator[str]:
    if columns < min(LEAST_COLUMNS, columns_of(said.heard + said.unheard)):
        return
    heard = fitted(said.heard, columns)
    left = columns - columns_of(heard) - 1
    lost = "" if heard.endswith(ELLIPSIS) or left < LEAST_COLUMNS else fitted(said.unheard, left)
    struck = f'<tspan fill="{QUIET}" text-decoration="line-through">{escape(lost)}</tspan>' if lost else ""
    between = " " if heard and lost else ""
    yield (
        f'<text class="tag" x="{px(x)}" y="{y}" style="fill:{colour}">'
        f"<title>{escape(f'turn {said.turn}, {said.side}')}</title>{escape(heard)}{between}{struck}</text>"
    )
