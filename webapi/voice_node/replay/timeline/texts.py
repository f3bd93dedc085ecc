"""The texts of a timeline: times, counts, the call in one line, and numbers of an SVG."""

from __future__ import annotations

from collections.abc import Sequence

from webapi.voice_node.replay.event_letters import REPLY_FAILED, kind_of
from webapi.voice_node.replay.timeline.model import Timeline, TurnRow, printable
from webapi.voice_node.replay.words import fitted

MAX_WORDS = 80  # columns of what one side said in a turn, in the description of the picture


def about(timeline: Timeline) -> str:
    """Return the call in one line: its length, graph, turns, barge-ins and failed replies."""
    cut = sum(1 for turn in timeline.turns if turn.outcome == "barged_in")
    turns = sum(1 for turn in timeline.turns if not turn.prompt)
    words = [f"{timeline.seconds:.1f} s", f"graph {timeline.graph}", _count(turns, "turn")]
    failed = sum(1 for event in timeline.events if kind_of(event) == REPLY_FAILED)
    failures = [f"{failed} {'reply' if failed == 1 else 'replies'} failed"] if failed else []
    return " · ".join([*words, _count(cut, "barge-in"), *failures])


def described(timeline: Timeline, turns: Sequence[TurnRow]) -> str:
    """Return the picture in words, for people who do not see it."""
    words = [about(timeline) + "."]
    for turn in turns:
        said = f"Turn {turn.turn} from {turn.start:.2f} s: {turn.outcome or 'open'}"
        said += f", answered after {ms_text(turn.reply_ms)}" if turn.reply_ms is not None else ""
        if turn.stop_ms is not None:
            said += f", silent {ms_text(turn.stop_ms)} after the caller talked over it"
        told = [each for each in timeline.words if each.turn == turn.turn]
        said += "".join(f', {each.side}: "{fitted(each.heard, MAX_WORDS)}"' for each in told)
        words.append(said + ".")
    return printable(" ".join(words))


def clock(t: float) -> str:
    """Return a time of the axis: `1.5 s`, or minutes and seconds from a minute on."""
    if t < 60:
        return f"{t:g} s"
    minutes, seconds = divmod(int(t), 60)
    return f"{minutes}:{seconds:02d}" if t < 3600 else f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def ms_text(ms: float | None) -> str:
    """Return a duration for people; a dash where it is None."""
    return "–" if ms is None else f"{ms:.0f} ms"


def px(value: float) -> str:
    """Return a coordinate with at most one digit after the point, so that the file is the same on every machine."""
    return f"{value:.1f}".removesuffix(".0")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
