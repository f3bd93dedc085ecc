"""Sizes (px) and colours of the timeline picture, and the place of a time in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

WIDTH, MARGIN, NAMES = 1200, 28, 66
LEFT, RIGHT = MARGIN + NAMES, WIDTH - MARGIN
PLOT = RIGHT - LEFT
HEAD = 108
# From the top of a row of the picture:
AXIS, CALLER, VOICED, TURNS, STOPS, REPLIES, BOT, ROW = 14, 22, 84, 98, 152, 169, 181, 266
LANE, BAND, BADGE = 58, 8, 8.5
ONE_ROW_S = 24.0
ROW_S = (20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
MAX_ROWS = 8

INK, QUIET, RULE, TRACK = "#191c24", "#596273", "#e4e7ee", "#eef0f4"
CALLER_COLOUR, CALLER_SOFT, BOT_COLOUR, BOT_SOFT, CUT = "#0a7a6c", "#d8f2ec", "#6a48d7", "#e9e3fc", "#c2410c"
FILLER_SOFT = "#f6f3fe"
STYLE = f"""
text {{ font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  fill: {INK} }}
.name {{ font-size: 24px; font-weight: 600 }}
.about, .lane, .tick, .legend, .head {{ fill: {QUIET} }}
.lane {{ font-weight: 600 }}
.tick, .ms, .tag {{ font-size: 12px }}
.ms, .letter {{ font-weight: 600; text-anchor: middle }}
.letter {{ font-size: 11px; fill: #fff }}
.halo {{ stroke: #fff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke }}
.tick {{ text-anchor: middle }}
.cell {{ text-anchor: end }}
.likely {{ fill: none; stroke: {INK}; stroke-width: 1 }}
.wave {{ fill: none; stroke-width: 2; stroke-linecap: round }}
"""


def row_seconds(seconds: float) -> float:
    """Return how many seconds of a call stand in a row: all of a short call, else a round number."""
    if seconds <= ONE_ROW_S:
        return max(1.0, seconds)
    most = next((s for s in ROW_S if seconds <= s * MAX_ROWS), math.ceil(seconds / MAX_ROWS))
    rows = math.ceil(seconds / most)
    return float(math.ceil(seconds / rows / 5) * 5)  # so the last row is not nearly empty


def x_of(t: float, start: float, per_row: float) -> float:
    """Return the place (px) of the time `t` in the row that begins at `start` and has `per_row` seconds."""
    return LEFT + (t - start) / per_row * PLOT


@dataclass(frozen=True)
class RowSpan:
    """The part of a call that a row shows. All in seconds."""

    start: float
    end: float  # of the call, where that ends in this row
    seconds: float  # how many fit into a row

    @property
    def full_end(self) -> float:
        """Where the next row begins."""
        return self.start + self.seconds

    @property
    def pixel_s(self) -> float:
        """How many seconds a pixel stands for."""
        return self.seconds / PLOT

    def x(self, t: float) -> float:
        """Return the place of a time in this row (px)."""
        return x_of(t, self.start, self.seconds)


def row_spans(seconds: float) -> list[RowSpan]:
    """Return the rows of a call of that length."""
    per_row = row_seconds(seconds)
    starts = [row * per_row for row in range(max(1, math.ceil(seconds / per_row - 1e-9)))]
    return [RowSpan(start, min(start + per_row, max(seconds, start)), per_row) for start in starts]
