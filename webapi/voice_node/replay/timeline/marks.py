"""The marks of a row of the timeline picture: events, where a reply was cut, and how long somebody waited."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from webapi.voice_node.replay.event_letters import REPLY_FAILED, kind_of
from webapi.voice_node.replay.timeline.badges import EVENT_MARKS, badge
from webapi.voice_node.replay.timeline.layout import (
    BADGE,
    BOT,
    CALLER,
    CUT,
    INK,
    LANE,
    PLOT,
    REPLIES,
    RIGHT,
    STOPS,
    TURNS,
    RowSpan,
)
from webapi.voice_node.replay.timeline.model import Delay, ReplyBar, Timeline, printable
from webapi.voice_node.replay.timeline.texts import ms_text, px

CUT_TEXT = 112  # px that the words at a cut take
DELAY_STYLES = {"stop": (CUT, STOPS), "reply": (INK, REPLIES)}  # of each kind: colour, y


def marks(timeline: Timeline, row: RowSpan, *, dense: bool) -> Iterator[str]:
    """Draw the marks of a row. `dense`: only what silenced the bot, because all events would hide the speech."""
    for playback in timeline.playback:
        if playback.cut and (row.start <= playback.end < row.full_end or playback.end == row.end):
            yield from _cut(playback, timeline, row)
    yield from _events(timeline, row, dense=dense)
    yield from _delays(timeline, row)


def _cut(playback: ReplyBar, timeline: Timeline, row: RowSpan) -> Iterator[str]:
    """Draw where a reply was cut off, with words where there is room."""
    x = row.x(playback.end)
    yield f'<path class="cut" d="M{px(x)} {BOT - 2}V{BOT + LANE + 2}" stroke="{CUT}" stroke-width="3"/>'
    until = playback.end + CUT_TEXT / PLOT * row.seconds
    busy = any(other.start < until and other.end > playback.end for other in timeline.playback)
    if x + CUT_TEXT - 2 < RIGHT and not busy:
        words = f"cut after {playback.heard_ms} ms"
        yield f'<text class="tag" x="{px(x + 8)}" y="{BOT + LANE - 6}" style="fill:{CUT}">{words}</text>'


def _events(timeline: Timeline, row: RowSpan, *, dense: bool) -> Iterator[str]:
    """Draw a line for each event, and a badge on it where there is room."""
    lines: tuple[list[str], list[str]] = ([], [])
    badges = []
    last_x = [-99.0, -99.0]  # of the last badge in each row of badges
    for event in timeline.events:
        kind = kind_of(event)
        mark = EVENT_MARKS.get(kind)
        t = event["t"]
        if mark is None or not (row.start <= t < row.full_end or t == timeline.seconds == row.full_end):
            continue
        if mark.row == 0 and dense:
            continue
        x, y = row.x(t), TURNS + 12 + mark.row * 22
        dashes = ' stroke-dasharray="3 3"' if kind == "superseded" else ""
        lines[mark.row].append(
            f'<path class="event" data-event="{kind}" data-t="{t}" '
            f'd="M{px(x)} {CALLER}V{BOT + LANE if mark.row else y}" stroke="{mark.colour}" stroke-width="1.5"{dashes}>'
            f"<title>{t:.3f} s: {kind}, turn {event['turn_index']}{_detail(event, kind)}</title></path>"
        )
        if x - last_x[mark.row] >= 2 * BADGE + 1:
            last_x[mark.row] = x
            badges.append(badge(kind, x, y))
    yield from (*lines[0], *lines[1], *badges)


def _detail(event: dict[str, Any], kind: str) -> str:
    if kind == "dtmf":
        return escape(printable(f": {event.get('digit', '')}"))
    return escape(printable(f": {event.get('detail', '')}")) if kind == REPLY_FAILED else ""


def _delays(timeline: Timeline, row: RowSpan) -> Iterator[str]:
    """Draw the delays that lie in the row, each with its milliseconds where there is room."""
    taken = {"stop": -99.0, "reply": -99.0}  # right end of the last words of each kind
    delays = [delay for delay in timeline.delays if row.start <= delay.start and delay.end <= row.end]
    for delay in delays:
        x0, x1 = row.x(delay.start), row.x(delay.end)
        colour, y = DELAY_STYLES[delay.kind]
        yield (
            f'<path class="delay" d="M{px(x0)} {y - 4}v8M{px(x0)} {y}H{px(x1)}M{px(x1)} {y - 4}v8" '
            f'stroke="{colour}" stroke-width="1.5" fill="none"/>'
        )
        words = ms_text(delay.ms)
        width = 7 * len(words) + 6
        left = x1 + 6 if x1 + 6 + width < RIGHT else x0 - 6 - width
        if left > taken[delay.kind] and not _begins_within(delays, delay, row, left, width):
            taken[delay.kind] = left + width
            middle = px(left + width / 2)
            yield f'<text class="ms halo" x="{middle}" y="{y + 4}" style="fill:{colour}">{words}</text>'


def _begins_within(delays: list[Delay], delay: Delay, row: RowSpan, left: float, width: float) -> bool:
    """Whether another delay of the same kind begins where the words of this one would stand."""
    others = (row.x(other.start) for other in delays if other is not delay and other.kind == delay.kind)
    return any(left < x < left + width for x in others)
