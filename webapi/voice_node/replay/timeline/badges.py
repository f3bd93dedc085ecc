"""The letters that stand for events in the timeline picture: badges, and the legend that explains them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webapi.voice_node.replay.event_letters import EVENT_LETTERS, REPLY_FAILED
from webapi.voice_node.replay.timeline.layout import BADGE, BOT_COLOUR, CALLER_COLOUR, CUT, INK, MARGIN, WIDTH
from webapi.voice_node.replay.timeline.texts import px


@dataclass(frozen=True)
class EventMark:
    """How an event is marked."""

    row: int  # 0: the upper row of badges, 1: the lower one
    colour: str
    words: str  # in the legend
    width: int  # px of the legend that the letter and the words take


EVENT_MARKS = {
    "speech_started": EventMark(0, CALLER_COLOUR, "speech started", 132),
    "speech_ended": EventMark(0, CALLER_COLOUR, "speech ended", 126),
    "barge_in": EventMark(1, CUT, "barge-in", 94),
    "superseded": EventMark(1, CUT, "went on: reply dropped", 170),
    "prompted": EventMark(0, BOT_COLOUR, "bot began", 112),
    REPLY_FAILED: EventMark(1, CUT, "reply failed", 116),
    "hung_up": EventMark(0, BOT_COLOUR, "bot hung up", 122),
    "dtmf": EventMark(0, CALLER_COLOUR, "key", 62),
    "playback_ducked": EventMark(1, BOT_COLOUR, "bot soft", 92),
    "playback_restored": EventMark(1, BOT_COLOUR, "loud again", 106),
}
# Explained where there are such events.
RARE = ("prompted", REPLY_FAILED, "hung_up", "dtmf", "playback_ducked", "playback_restored")
OF_CALLERS = ("speech_started", "speech_ended", "barge_in", "superseded")


def badge(event: str, x: float, y: float) -> str:
    """Draw the letter of an event."""
    return (
        f'<circle cx="{px(x)}" cy="{px(y)}" r="{BADGE}" fill="{EVENT_MARKS[event].colour}"/>'
        f'<text class="letter" x="{px(x)}" y="{px(y + 4)}">{EVENT_LETTERS[event]}</text>'
    )


def legend(rare: Sequence[str]) -> Iterator[str]:
    """Draw the legend: the letters of callers, and those events of RARE that there are."""
    x = WIDTH - MARGIN - 528 - sum(EVENT_MARKS[event].width for event in rare)
    for event in (*rare, *OF_CALLERS):
        mark = EVENT_MARKS[event]
        yield badge(event, x, MARGIN + 8)
        yield f'<text class="legend" x="{x + 14}" y="{MARGIN + 12.5}">{mark.words}</text>'
        x += mark.width
    x, y = WIDTH - MARGIN - 536, MARGIN + 32.5
    for colour, words, width in (
        (INK, "wait for the bot's first audio", 232),
        (CUT, "caller's first voiced frame to silence", 0),
    ):
        yield f'<path d="M{x} {y - 4}v8M{x} {y}h16M{x + 16} {y - 4}v8" stroke="{colour}" stroke-width="1.5"/>'
        yield f'<text class="legend" x="{x + 22}" y="{y + 4.5}">{words}</text>'
        x += width
