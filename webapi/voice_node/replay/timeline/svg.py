"""A replay as an SVG picture: the whole call at a glance, for a report or a README. No script, no font of its own."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import takewhile
from xml.sax.saxutils import escape

from webapi.voice_node.replay.timeline.model import ReplyBar, Timeline, TimeSpan, merged, printable
from webapi.voice_node.replay.timeline.wave import Outline

WIDTH, MARGIN, NAMES = 1200, 28, 66
LEFT, RIGHT = MARGIN + NAMES, WIDTH - MARGIN
PLOT = RIGHT - LEFT
HEAD = 108
# From the top of a row of the picture:
AXIS, CALLER, VOICED, TURNS, STOPS, REPLIES, BOT, ROW = 14, 22, 84, 98, 152, 169, 181, 266
LANE, BAND, BADGE = 58, 8, 8.5
LIKELY, SURE = 98, 82  # where a probability of 0 stands in a row, and one of 1
BAR = 3  # from one bar of a waveform to the next
ONE_ROW_S = 24.0
ROW_S = (20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
MOST_ROWS = 8
DENSE_S = 90.0  # with more than that in a row, the letters of all speech would hide it
TICKS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200)
MOST_TURNS = 40
TABLE_LINE = 22

INK, QUIET, RULE, TRACK = "#191c24", "#596273", "#e4e7ee", "#eef0f4"
CALLER_COLOUR, CALLER_SOFT, BOT_COLOUR, BOT_SOFT, CUT = "#0a7a6c", "#d8f2ec", "#6a48d7", "#e9e3fc", "#c2410c"
FILLER_SOFT = "#f6f3fe"
LETTERS = {  # event → letter, upper or lower row, colour
    "speech_started": ("S", 0, CALLER_COLOUR),
    "speech_ended": ("E", 0, CALLER_COLOUR),
    "barge_in": ("B", 1, CUT),
    "superseded": ("U", 1, CUT),
    "prompted": ("A", 0, BOT_COLOUR),
}
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


def svg(timeline: Timeline, outline: Outline) -> str:
    """The picture as an SVG file: the same text for the same replay."""
    return "\n".join(_Picture(timeline, outline).lines()) + "\n"


def row_seconds(seconds: float) -> float:
    """How much of a call stands in a row of the picture: all of a short one, else a round number."""
    if seconds <= ONE_ROW_S:
        return max(1.0, seconds)
    most = next((s for s in ROW_S if seconds <= s * MOST_ROWS), math.ceil(seconds / MOST_ROWS))
    rows = math.ceil(seconds / most)
    return float(math.ceil(seconds / rows / 5) * 5)  # and no last row that is nearly empty


def x_of(t: float, start: float, per_row: float) -> float:
    """Where a time stands in the row that begins at `start`."""
    return LEFT + (t - start) / per_row * PLOT


class _Picture:
    def __init__(self, timeline: Timeline, outline: Outline) -> None:
        self._timeline, self._outline = timeline, outline
        self._per_row = row_seconds(timeline.seconds)
        self._rows = max(1, math.ceil(timeline.seconds / self._per_row - 1e-9))
        self._dense = self._per_row > DENSE_S
        self._shown = timeline.turns[:MOST_TURNS]

    def lines(self) -> Iterator[str]:
        table = HEAD + self._rows * ROW
        more = len(self._timeline.turns) - len(self._shown)
        height = table + (34 + TABLE_LINE * (len(self._shown) + bool(more)) if self._shown else 0) + MARGIN - 10
        name = escape(self._timeline.name)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
            ' role="img" aria-labelledby="title desc">'
        )
        yield f'<title id="title">Timeline of {name}</title>'
        yield f'<desc id="desc">{escape(self._in_words())}</desc>'
        yield f"<style>{STYLE}</style>"
        yield '<rect width="100%" height="100%" fill="#fff"/>'
        yield f'<text class="name" x="{MARGIN}" y="{MARGIN + 14}">{name}</text>'
        yield f'<text class="about" x="{MARGIN}" y="{MARGIN + 37}">{escape(about(self._timeline))}</text>'
        if self._dense:
            words = "Of a call this long only what silenced the bot is marked; timeline.html beside this shows all."
            yield f'<text class="about" x="{MARGIN}" y="{MARGIN + 57}">{words}</text>'
        yield from _legend(any(turn.prompt for turn in self._timeline.turns))
        for row in range(self._rows):
            yield f'<g transform="translate(0 {HEAD + row * ROW})">'
            yield from self._row(row * self._per_row)
            yield "</g>"
        if self._shown:
            yield from self._table(table, more)
        yield "</svg>"

    def _in_words(self) -> str:
        """The picture for who does not see it."""
        words = [about(self._timeline) + "."]
        for turn in self._shown:
            said = f"Turn {turn.turn} from {turn.start:.2f} s: {turn.outcome or 'open'}"
            said += f", answered after {_ms(turn.reply_ms)}" if turn.reply_ms is not None else ""
            said += f", silent {_ms(turn.stop_ms)} after the caller talked over it" if turn.stop_ms is not None else ""
            words.append(said + ".")
        return printable(" ".join(words))

    # ------------------------------------------------ a row

    def _row(self, start: float) -> Iterator[str]:
        end = min(start + self._per_row, max(self._timeline.seconds, start))
        right = self._x(end, start)
        for name, y in (("caller", CALLER + LANE / 2), ("voiced", VOICED + BAND / 2), ("bot", BOT + LANE / 2)):
            yield f'<text class="lane" x="{MARGIN}" y="{_n(y + 4.5)}">{name}</text>'
        yield f'<text class="lane" x="{MARGIN}" y="{TURNS + 26}">turns</text>'
        yield from self._axis(start, end)
        yield f'<rect x="{LEFT}" y="{VOICED}" width="{_n(right - LEFT)}" height="{BAND}" rx="4" fill="{TRACK}"/>'
        timeline = self._timeline
        for span in _clipped(timeline.speech, start, end):
            yield self._box(span, start, CALLER, LANE, CALLER_SOFT, 8)
            yield from self._number(span, self._x(span.end, start) - 17, CALLER, CALLER_COLOUR)
        for span in _clipped(merged(timeline.voiced, self._per_row / PLOT), start, end):
            yield self._box(span, start, VOICED, BAND, CALLER_COLOUR, 2)
        for span in _clipped(timeline.fillers, start, end):
            yield self._box(span, start, BOT, LANE, FILLER_SOFT, 8)
        if timeline.likely:
            yield f'<path class="likely" d="{self._likely(start, end)}"/>'
        for playback in timeline.playback:
            for span in _clipped([playback], start, end):
                yield self._box(span, start, BOT, LANE, BOT_SOFT, 8)
                yield from self._number(span, self._x(span.start, start) + 7, BOT, BOT_COLOUR)
        for side, y, colour in ((0, CALLER + LANE / 2, CALLER_COLOUR), (1, BOT + LANE / 2, BOT_COLOUR)):
            yield f'<path class="wave" stroke="{colour}" d="{self._wave(side, y, start, end)}"/>'
        for playback in timeline.playback:
            if start <= playback.end < start + self._per_row or playback.end == end:
                yield from self._end(playback, start)
        yield from self._events(start, start + self._per_row)
        yield from self._delays(start, end)

    def _axis(self, start: float, end: float) -> Iterator[str]:
        step = next((t for t in TICKS_S if t / self._per_row * PLOT >= 54), TICKS_S[-1])
        for i in range(math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9) + 1):
            x = self._x(i * step, start)
            yield f'<path d="M{_n(x)} {AXIS + 4}V{BOT + LANE}" stroke="{RULE}"/>'
            yield f'<text class="tick" x="{_n(x)}" y="{AXIS - 2}">{clock(i * step)}</text>'

    def _wave(self, side: int, middle: float, start: float, end: float) -> str:
        """Bars of a height that grows with the root of the loudness: quiet speech is still seen."""
        way = []
        for i in range(int((self._x(end, start) - LEFT) / BAR)):
            at = start + i * BAR / PLOT * self._per_row
            peak = self._outline.within(side, at, at + BAR / PLOT * self._per_row)
            half = math.sqrt(peak / 255) * (LANE / 2 - 5)
            if half >= 1:
                way.append(f"M{_n(LEFT + i * BAR + BAR / 2)} {_n(middle - half)}v{_n(2 * half)}")
        return "".join(way)

    def _likely(self, start: float, end: float) -> str:
        """The probability of a voice, in steps; where several fall into a pixel, the highest."""
        steps = self._timeline.likely
        before = bisect_right(steps, start, key=lambda step: step[0])
        tops = {LEFT: steps[before - 1][1] if before else 0.0}
        for t, p in takewhile(lambda step: step[0] < end, steps[before:]):
            x = int(self._x(t, start))
            tops[x] = max(p, tops.get(x, 0.0))
        way = [
            f"{'H' if x > LEFT else 'M'}{x}{'V' if x > LEFT else ' '}{_n(LIKELY - p * (LIKELY - SURE))}"
            for x, p in tops.items()
        ]
        return "".join(way) + f"H{_n(self._x(end, start))}"

    def _box(self, span: TimeSpan, start: float, y: float, height: float, colour: str, radius: float) -> str:
        x, right = self._x(span.start, start), self._x(span.end, start)
        return (
            f'<rect x="{_n(x)}" y="{y}" width="{_n(max(1, right - x))}" height="{height}" '
            f'rx="{_n(min(radius, max(1, right - x) / 2))}" fill="{colour}"/>'
        )

    def _number(self, span: TimeSpan, x: float, y: float, colour: str) -> Iterator[str]:
        """Which turn it is."""
        if (span.end - span.start) / self._per_row * PLOT > 30:
            yield f'<text class="tag" x="{_n(x)}" y="{y + 14}" style="fill:{colour}">{span.turn}</text>'

    def _end(self, playback: ReplyBar, start: float) -> Iterator[str]:
        """Where a reply that was cut off stops."""
        if not playback.cut:
            return
        x = self._x(playback.end, start)
        yield f'<path class="cut" d="M{_n(x)} {BOT - 2}V{BOT + LANE + 2}" stroke="{CUT}" stroke-width="3"/>'
        if x + 110 < RIGHT and not self._busy(playback.end, playback.end + 112 / PLOT * self._per_row):
            words = f"cut after {playback.heard_ms} ms"
            yield f'<text class="tag" x="{_n(x + 8)}" y="{BOT + LANE - 6}" style="fill:{CUT}">{words}</text>'

    def _busy(self, start: float, end: float) -> bool:
        return any(other.start < end and other.end > start for other in self._timeline.playback)

    def _events(self, start: float, end: float) -> Iterator[str]:
        """Lines where something was decided, and a letter on each, where there is room for it."""
        lines: tuple[list[str], list[str]] = ([], [])
        badges = []
        last = [-99.0, -99.0]  # x of the last badge of each row
        for event in self._timeline.events:
            known = LETTERS.get(event["event"])
            if known is None or not (start <= event["t"] < end or event["t"] == self._timeline.seconds == end):
                continue
            letter, row, colour = known
            if row == 0 and self._dense:
                continue
            x, y = self._x(event["t"], start), TURNS + 12 + row * 22
            dashes = ' stroke-dasharray="3 3"' if event["event"] == "superseded" else ""
            lines[row].append(
                f'<path class="event" data-event="{event["event"]}" data-t="{event["t"]}" '
                f'd="M{_n(x)} {CALLER}V{BOT + LANE if row else y}" stroke="{colour}" stroke-width="1.5"{dashes}>'
                f"<title>{event['t']:.3f} s: {event['event']}, turn {event['turn_index']}</title></path>"
            )
            if x - last[row] >= 2 * BADGE + 1:
                last[row] = x
                badges.append(_badge(letter, x, y, colour))
        yield from (*lines[0], *lines[1], *badges)

    def _delays(self, start: float, end: float) -> Iterator[str]:
        taken = {"stop": -99.0, "reply": -99.0}
        delays = [delay for delay in self._timeline.delays if start <= delay.start and delay.end <= end]
        for delay in delays:
            x0, x1 = self._x(delay.start, start), self._x(delay.end, start)
            others = [
                self._x(other.start, start) for other in delays if other is not delay and other.kind == delay.kind
            ]
            colour, y = (CUT, STOPS) if delay.kind == "stop" else (INK, REPLIES)
            yield (
                f'<path class="delay" d="M{_n(x0)} {y - 4}v8M{_n(x0)} {y}H{_n(x1)}M{_n(x1)} {y - 4}v8" '
                f'stroke="{colour}" stroke-width="1.5" fill="none"/>'
            )
            words = _ms(delay.ms)
            wide = 7 * len(words) + 6
            left = x1 + 6 if x1 + 6 + wide < RIGHT else x0 - 6 - wide
            if left > taken[delay.kind] and not any(left < x < left + wide for x in others):
                taken[delay.kind] = left + wide
                middle = _n(left + wide / 2)
                yield f'<text class="ms halo" x="{middle}" y="{y + 4}" style="fill:{colour}">{words}</text>'

    def _x(self, t: float, start: float) -> float:
        return x_of(t, start, self._per_row)

    # ------------------------------------------------ the list

    def _table(self, y: float, more: int) -> Iterator[str]:
        columns = (
            ("turn", 60),
            ("from", 150),
            ("speech", 250),
            ("reply after", 380),
            ("heard", 490),
            ("silent after", 620),
        )
        yield f'<path d="M{MARGIN} {y}H{RIGHT}" stroke="{RULE}"/>'
        for name, x in columns:
            yield f'<text class="head cell" x="{MARGIN + x}" y="{y + 24}">{name}</text>'
        yield f'<text class="head" x="{MARGIN + 660}" y="{y + 24}">outcome</text>'
        for i, turn in enumerate(self._shown):
            at = y + 24 + TABLE_LINE * (i + 1)
            cells = (str(turn.turn), f"{turn.start:.2f} s", _ms(turn.said_ms), _ms(turn.reply_ms), _ms(turn.heard_ms))
            for (_, x), words in zip(columns, (*cells, _ms(turn.stop_ms)), strict=True):
                yield f'<text class="cell" x="{MARGIN + x}" y="{at}">{words}</text>'
            colour = CUT if turn.outcome in ("barged_in", "superseded", "failed", "timeout") else INK
            outcome = escape(("prompt " if turn.prompt else "") + turn.outcome.replace("_", " "))
            yield f'<text x="{MARGIN + 660}" y="{at}" style="fill:{colour}">{outcome}</text>'
        if more:
            at = y + 24 + TABLE_LINE * (len(self._shown) + 1)
            yield f'<text class="head" x="{MARGIN}" y="{at}">… and {more} more turns: see metrics.jsonl</text>'


def about(timeline: Timeline) -> str:
    """The call in a line."""
    cut = sum(1 for turn in timeline.turns if turn.outcome == "barged_in")
    turns = sum(1 for turn in timeline.turns if not turn.prompt)
    words = [f"{timeline.seconds:.1f} s", f"graph {timeline.graph}", _count(turns, "turn")]
    return " · ".join([*words, _count(cut, "barge-in")])


def clock(t: float) -> str:
    """A time on the axis: `1.5 s`, or minutes and seconds from a minute on."""
    if t < 60:
        return f"{t:g} s"
    return (
        f"{int(t) // 60}:{int(t) % 60:02d}"
        if t < 3600
        else f"{int(t) // 3600}:{int(t) // 60 % 60:02d}:{int(t) % 60:02d}"
    )


def _badge(letter: str, x: float, y: float, colour: str) -> str:
    return (
        f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{BADGE}" fill="{colour}"/>'
        f'<text class="letter" x="{_n(x)}" y="{_n(y + 4)}">{letter}</text>'
    )


def _legend(prompts: bool) -> Iterator[str]:
    x = WIDTH - MARGIN - 528
    if prompts:
        x -= 112
        yield _badge("A", x, MARGIN + 8, BOT_COLOUR)
        yield f'<text class="legend" x="{x + 14}" y="{MARGIN + 12.5}">bot began</text>'
        x += 112
    for letter, colour, words, wide in (
        ("S", CALLER_COLOUR, "speech started", 132),
        ("E", CALLER_COLOUR, "speech ended", 126),
        ("B", CUT, "barge-in", 94),
        ("U", CUT, "went on: reply dropped", 170),
    ):
        yield _badge(letter, x, MARGIN + 8, colour)
        yield f'<text class="legend" x="{x + 14}" y="{MARGIN + 12.5}">{words}</text>'
        x += wide
    x, y = WIDTH - MARGIN - 536, MARGIN + 32.5
    for colour, words, wide in (
        (INK, "wait for the bot's first audio", 232),
        (CUT, "caller's first voiced frame to silence", 0),
    ):
        yield f'<path d="M{x} {y - 4}v8M{x} {y}h16M{x + 16} {y - 4}v8" stroke="{colour}" stroke-width="1.5"/>'
        yield f'<text class="legend" x="{x + 22}" y="{y + 4.5}">{words}</text>'
        x += wide


def _clipped(spans: Sequence[TimeSpan], start: float, end: float) -> Iterator[TimeSpan]:
    for span in spans:
        if span.start < end and span.end > start:
            yield TimeSpan(max(span.start, start), min(span.end, end), span.turn)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _ms(ms: float | None) -> str:
    return "–" if ms is None else f"{ms:.0f} ms"


def _n(value: float) -> str:
    """A coordinate with at most one digit after the point: the same file on every machine."""
    return f"{value:.1f}".removesuffix(".0")
