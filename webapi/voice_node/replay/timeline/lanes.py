"""The lanes of a row of the timeline picture: the axis, who speaks when, how loud, and how likely a voice is."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import takewhile

from webapi.voice_node.replay.timeline.layout import (
    AXIS,
    BAND,
    BOT,
    BOT_COLOUR,
    BOT_SOFT,
    CALLER,
    CALLER_COLOUR,
    CALLER_SOFT,
    FILLER_SOFT,
    LANE,
    LEFT,
    MARGIN,
    PLOT,
    RULE,
    TRACK,
    TURNS,
    VOICED,
    RowSpan,
)
from webapi.voice_node.replay.timeline.model import Timeline, TimeSpan, merged
from webapi.voice_node.replay.timeline.texts import clock, px
from webapi.voice_node.replay.timeline.wave import Outline

UNLIKELY_Y, LIKELY_Y = 98, 82  # where a probability of 0 stands in a row, and one of 1
BAR = 3  # from one bar of a waveform to the next
TICKS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200)
TICK = 54  # between two ticks at least


def lanes(timeline: Timeline, outline: Outline, row: RowSpan) -> Iterator[str]:
    """Draw the lanes of a row."""
    for name, y in (("caller", CALLER + LANE / 2), ("voiced", VOICED + BAND / 2), ("bot", BOT + LANE / 2)):
        yield f'<text class="lane" x="{MARGIN}" y="{px(y + 4.5)}">{name}</text>'
    yield f'<text class="lane" x="{MARGIN}" y="{TURNS + 26}">turns</text>'
    yield from _axis(row)
    yield f'<rect x="{LEFT}" y="{VOICED}" width="{px(row.x(row.end) - LEFT)}" height="{BAND}" rx="4" fill="{TRACK}"/>'
    for span in _clipped(timeline.speech, row):
        yield _box(span, row, CALLER, LANE, CALLER_SOFT, 8)
        yield from _turn_number(span, row, row.x(span.end) - 17, CALLER, CALLER_COLOUR)
    for span in _clipped(merged(timeline.voiced, row.pixel_s), row):
        yield _box(span, row, VOICED, BAND, CALLER_COLOUR, 2)
    for span in _clipped(timeline.fillers, row):
        yield _box(span, row, BOT, LANE, FILLER_SOFT, 8)
    if timeline.likely:
        yield f'<path class="likely" d="{_likely(timeline.likely, row)}"/>'
    for span in _clipped([bar for bar in timeline.playback if bar.ducked], row):
        yield _box(span, row, BOT + LANE / 4, LANE / 2, BOT_SOFT, 4)
    for span in _clipped([bar for bar in timeline.playback if not bar.ducked], row):
        yield _box(span, row, BOT, LANE, BOT_SOFT, 8)
        yield from _turn_number(span, row, row.x(span.start) + 7, BOT, BOT_COLOUR)
    for side, y, colour in ((0, CALLER + LANE / 2, CALLER_COLOUR), (1, BOT + LANE / 2, BOT_COLOUR)):
        yield f'<path class="wave" stroke="{colour}" d="{_wave(outline, side, y, row)}"/>'


def _axis(row: RowSpan) -> Iterator[str]:
    step = next((t for t in TICKS_S if t / row.seconds * PLOT >= TICK), TICKS_S[-1])
    for i in range(math.ceil(row.start / step - 1e-9), math.floor(row.end / step + 1e-9) + 1):
        x = row.x(i * step)
        yield f'<path d="M{px(x)} {AXIS + 4}V{BOT + LANE}" stroke="{RULE}"/>'
        yield f'<text class="tick" x="{px(x)}" y="{AXIS - 2}">{clock(i * step)}</text>'


def _wave(outline: Outline, side: int, middle: float, row: RowSpan) -> str:
    """Return bars whose height grows with the square root of the loudness, so that quiet speech is visible."""
    path = []
    for i in range(int((row.x(row.end) - LEFT) / BAR)):
        at = row.start + i * BAR / PLOT * row.seconds
        peak = outline.within(side, at, at + BAR / PLOT * row.seconds)
        half = math.sqrt(peak / 255) * (LANE / 2 - 5)
        if half >= 1:
            path.append(f"M{px(LEFT + i * BAR + BAR / 2)} {px(middle - half)}v{px(2 * half)}")
    return "".join(path)


def _likely(steps: Sequence[tuple[float, float]], row: RowSpan) -> str:
    """Return the probability of a voice as steps; where several fall into a pixel, the highest."""
    before = bisect_right(steps, row.start, key=lambda step: step[0])
    tops = {LEFT: steps[before - 1][1] if before else 0.0}
    for t, p in takewhile(lambda step: step[0] < row.end, steps[before:]):
        x = int(row.x(t))
        tops[x] = max(p, tops.get(x, 0.0))
    path = [
        f"{'H' if x > LEFT else 'M'}{x}{'V' if x > LEFT else ' '}{px(UNLIKELY_Y - p * (UNLIKELY_Y - LIKELY_Y))}"
        for x, p in tops.items()
    ]
    return "".join(path) + f"H{px(row.x(row.end))}"


def _box(span: TimeSpan, row: RowSpan, y: float, height: float, colour: str, radius: float) -> str:
    x, right = row.x(span.start), row.x(span.end)
    return (
        f'<rect x="{px(x)}" y="{px(y)}" width="{px(max(1, right - x))}" height="{px(height)}" '
        f'rx="{px(min(radius, max(1, right - x) / 2))}" fill="{colour}"/>'
    )


def _turn_number(span: TimeSpan, row: RowSpan, x: float, y: float, colour: str) -> Iterator[str]:
    if (span.end - span.start) / row.seconds * PLOT > 30:
        yield f'<text class="tag" x="{px(x)}" y="{y + 14}" style="fill:{colour}">{span.turn}</text>'


def _clipped(spans: Sequence[TimeSpan], row: RowSpan) -> Iterator[TimeSpan]:
    """Yield the parts of the spans that lie in the row."""
    for span in spans:
        if span.start < row.end and span.end > row.start:
            yield TimeSpan(max(span.start, row.start), min(span.end, row.end), span.turn)
