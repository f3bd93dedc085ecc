"""What a timeline of a replay shows: who spoke when, what was decided, how long it took. In seconds, without pixels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webapi.voice_node.events import Side

UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML and UTF-8 can't carry


@dataclass(frozen=True)
class TimeSpan:
    """A stretch of time."""

    start: float  # s
    end: float  # s
    turn: int = 0


@dataclass(frozen=True)
class ReplyBar(TimeSpan):
    """The reply to a turn, from its first audio until nothing of it was heard any more."""

    heard_ms: int | None = None  # None: the replay ended before it
    cut: bool = False
    ducked: bool = False  # it played softly


@dataclass(frozen=True)
class Delay(TimeSpan):
    """A wait: `reply` is from the decided end of speech to the bot's first audio; `stop` is from the first voiced frame
    of a caller who interrupts to the bot's silence."""

    kind: str = "reply"
    ms: float = 0.0  # as in metrics.jsonl


@dataclass(frozen=True)
class SpokenWords:
    """What one side said in a turn. Each text is one line that can be printed."""

    turn: int
    side: Side
    start: float  # s: where the speech begins, or the reply is heard first
    heard: str  # of the caller: all of it
    unheard: str  # the rest of the bot's words
    cut: bool  # the reply ended before it was heard whole


@dataclass(frozen=True)
class TurnRow:
    """A turn, or a prompt, as a line of the list. What did not happen is None."""

    turn: int
    start: float  # s: its first voiced frame; of a prompt, when it was decided
    said_ms: int | None  # voiced frames
    outcome: str
    reply_ms: float | None  # end of speech to first bot audio
    heard_ms: int | None  # of the reply
    stop_ms: float | None  # barge-in: first voiced frame to silence
    wait_ms: float | None = None  # the caller's last voice to first bot audio
    parts: Sequence[Mapping[str, Any]] = ()  # what that wait was made of, as in metrics.jsonl
    prompt: str = ""  # the name of a prompt: the bot said this without a turn of the caller


@dataclass(frozen=True)
class Timeline:
    """All that is shown, in order of time."""

    name: str
    graph: str
    seconds: float  # the end of the axis
    voiced: list[TimeSpan]  # runs of voiced frames
    likely: list[tuple[float, float]]  # (s, probability of a voice from there on) where it changes; [] where unknown
    speech: list[TimeSpan]
    playback: list[ReplyBar]
    fillers: list[TimeSpan]  # from a filler on until its reply, or until nothing was heard any more
    delays: list[Delay]
    events: list[dict[str, Any]]  # the lines of events.jsonl
    turns: list[TurnRow]
    words: list[SpokenWords] = field(default_factory=list)  # [] where no orchestrator tells words


def printable(text: str) -> str:
    """Return the text without characters that XML or UTF-8 can't carry: the name of a file may have any."""
    return UNPRINTABLE.sub("\ufffd", text)


def merged(spans: Sequence[TimeSpan], gap: float) -> list[TimeSpan]:
    """Return the spans, in order, with those joined that are no more than `gap` seconds apart."""
    out: list[TimeSpan] = []
    for span in spans:
        if out and span.start - out[-1].end <= gap:
            out[-1] = TimeSpan(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return out
