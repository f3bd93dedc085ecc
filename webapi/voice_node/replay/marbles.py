"""A replay as marble text: a diagram in 80 columns and a list of the events, which can be parsed again.

Where the orchestrator tells words, they stand below the events that they belong to.

        0s        1s        2s        3s
        |         |         |         |
voice   ----------#############---------
turns   -----------S------------E-------
bot     -------------------------=======

 1.120  S 0  speech_started
 2.480  E 0  speech_ended  1.360 s, 1060 ms voiced, silence
        caller: A table for tonight, please.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webapi.voice_node.errors.plain_text import one_line
from webapi.voice_node.events import US_PER_MS, US_PER_S
from webapi.voice_node.replay.event_letters import EVENT_LETTERS, REPLY_FAILED, kind_of
from webapi.voice_node.replay.result import ReplayResult
from webapi.voice_node.replay.words import TurnWords, fitted, fitted_end, words_of

COLUMN_MS = 100
COLUMNS = 70  # and ten for the names of the rows
NAMES = 8

TITLE = re.compile(r"[^\n]*  [0-9.]+ s  graph [^\n]*  a column is [0-9]+ ms\n")

BOT_SIGNS = {"filler_started": "+", "playback_started": "=", "playback_paused": ":", "playback_resumed": "="}
DUCKED_SIGN = "_"  # of what plays softly, a filler too
DIVERGED = "~"  # marks what comes after the first event that differs
INDENT = 11  # of words, below the letters
WORDS_BELOW = {  # which event the words of a side stand below: the last one of its turn of the first name that it has
    "caller": ("speech_ended", "speech_started", "prompted"),
    "bot": ("playback_started", "playback_ended", "prompted"),
}
CUT, UNHEARD = "[cut off]", "[not heard]"  # behind a reply's words that were heard; in place of those that were not
TURN_LETTERS = "BUSEAGD"  # the row `turns`; where several events fall into one column, the first of these is shown


@dataclass(frozen=True)
class Marble:
    """An event as a line of the list."""

    t: str  # seconds with three digits: as text, two times are equal where they look equal
    letter: str
    turn: int
    text: str

    def __str__(self) -> str:
        return f"{self.t:>9}  {self.letter} {self.turn}  {self.text}"


def render(replayed: ReplayResult, band: int = COLUMNS) -> str:
    """Return the marble text: the diagram, in bands of up to `band` columns, and the list of events below it."""
    band = max(1, min(band, COLUMNS))
    end_s = max([replayed.seconds, *(e["t"] for e in replayed.events)])
    columns = _column(end_s) + 1
    rows = {
        "voice": _voice(replayed, columns),
        "turns": _turns(replayed.events, columns),
        "bot": _bot(replayed.events, columns),
    }
    diverged_s = next((event["t"] for event in replayed.events if event.get("parted")), None)
    if diverged_s is not None:
        since = _column(diverged_s)
        rows["parted"] = " " * since + DIVERGED * (columns - since)
    lines = [f"{replayed.name}  {replayed.seconds:.3f} s  graph {replayed.graph}  a column is {COLUMN_MS} ms", ""]
    for start in range(0, columns, band):
        lines += scale(start, min(columns, start + band))
        lines += [f"{name:{NAMES}}{row[start : start + band]}" for name, row in rows.items()]
        lines.append("")
    words = _words_below(replayed.events)
    for at, event in enumerate(replayed.events):
        of_event = [str(_marble(event))] if kind_of(event) in EVENT_LETTERS else []
        of_event += [_words_line(each, NAMES + band) for each in words.get(at, ())]
        lines += [DIVERGED + line[1:] if event.get("parted") else line for line in of_event]
    return "\n".join(lines) + "\n"


def marbles(replayed: ReplayResult) -> list[Marble]:
    """Return the events that have a letter, in order."""
    return [_marble(event) for event in replayed.events if kind_of(event) in EVENT_LETTERS]


def _marble(event: dict[str, Any]) -> Marble:
    return Marble(f"{event['t']:.3f}", EVENT_LETTERS[kind_of(event)], event["turn_index"], _text(event))


def parse(text: str) -> list[Marble]:
    """Return the list of a marble text. Other lines (the diagram, comments) are skipped."""
    found = []
    for line in text.splitlines():
        parts = line.removeprefix(DIVERGED).split(maxsplit=3)
        if len(parts) == 4 and parts[1] in EVENT_LETTERS.values() and parts[2].isdigit() and _is_time(parts[0]):
            found.append(Marble(parts[0], parts[1], int(parts[2]), parts[3]))
    return found


def is_marbles(text: str) -> bool:
    """Whether a text begins with the first line that `render` writes. A document that quotes marbles does not."""
    return bool(TITLE.match(text))


def scale(start: int, stop: int) -> list[str]:
    """Return the two lines above the diagram: seconds, and a mark at each column where one begins."""
    per_second = 1000 // COLUMN_MS
    words, ticks = [" "] * (stop - start + 6), [" "] * (stop - start)
    for column in range(start, stop):
        if column % per_second == 0:
            ticks[column - start] = "|"
            label = f"{column // per_second}s"
            words[column - start : column - start + len(label)] = label
    return [" " * NAMES + "".join(words).rstrip(), " " * NAMES + "".join(ticks).rstrip()]


def _column(t: float) -> int:
    return round(t * US_PER_S) // (COLUMN_MS * US_PER_MS)  # whole µs: as floats, 0.6 s would be in column 5


def _is_time(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


def _text(event: dict[str, Any]) -> str:
    name = kind_of(event)
    if name == REPLY_FAILED:
        why = " ".join(str(event.get("detail") or event["outcome"]).split())
        timeout = "timeout: " if event["outcome"] == "timeout" and event.get("detail") else ""
        return f"reply failed: {timeout}{''.join(c if c.isprintable() else '?' for c in why)}"
    if name == "speech_ended":
        said_s = event["t_last_byte"] - event["t_first_byte"]
        return f"{name}  {said_s:.3f} s, {event['voiced_ms']} ms voiced, {event['reason']}"
    if name == "playback_ended":
        return f"{name}  heard {event['heard_ms']} ms{'' if event['completed'] else ', cut off'}"
    if name in ("playback_paused", "playback_ducked", "playback_restored"):
        return f"{name}  heard {event['heard_ms']} ms so far"
    if name == "prompted":
        return f"{name}  {event['prompt']}"
    if name == "dtmf":
        return f"{name}  {event['digit']}"
    if name == "hung_up":
        return f"{name}  {one_line(event['reason'])}".rstrip()
    return name


def _words_below(events: Sequence[dict[str, Any]]) -> dict[int, list[TurnWords]]:
    """Return what was said by the position of the event below which it stands."""
    words = words_of(events)
    if not words:
        return {}
    at: dict[tuple[str, str], int] = {}
    for position, event in enumerate(events):
        name = event["event"]
        key = f"{name} {event['speaker']}" if name == "transcript" else name
        at[event["trace_id"], key] = position
    below: dict[int, list[TurnWords]] = {}
    for each in words:
        names = (*WORDS_BELOW[each.side], f"transcript {each.side}")
        position = next(at[each.trace_id, name] for name in names if (each.trace_id, name) in at)
        below.setdefault(position, []).append(each)
    return below


def _words_line(words: TurnWords, columns: int) -> str:
    """Return a line with what was said, cut to the columns: at its end, or at its start where the reply was cut off."""
    start = f"{'':{INDENT}}{words.side}: "
    if words.cut and not words.heard:
        return start + UNHEARD
    if words.cut:
        return f"{start}{fitted_end(words.heard, max(1, columns - len(start) - len(CUT) - 1))} {CUT}"
    return start + fitted(words.heard, max(1, columns - len(start)))


def _voice(replayed: ReplayResult, columns: int) -> str:
    row = ["-"] * columns
    per_column: dict[int, list[bool]] = {}
    for arrived_us, voiced in zip(replayed.arrived_us, replayed.voiced, strict=True):
        per_column.setdefault((arrived_us - replayed.frame_us) // (COLUMN_MS * US_PER_MS), []).append(voiced)
    for column, flags in per_column.items():
        if column < columns and sum(flags) * 2 > len(flags):
            row[column] = "#"
    return "".join(row)


def _turns(events: Sequence[dict[str, Any]], columns: int) -> str:
    row = ["-"] * columns
    for event in events:
        letter = EVENT_LETTERS.get(event["event"], "")
        if letter and letter in TURN_LETTERS:
            column = _column(event["t"])
            if row[column] == "-" or TURN_LETTERS.index(letter) < TURN_LETTERS.index(row[column]):
                row[column] = letter
    return "".join(row)


def _bot(events: Sequence[dict[str, Any]], columns: int) -> str:
    row = ["-"] * columns
    since: float | None = None
    sign = "="
    ducked = False
    started: set[str] = set()  # replies of which something was heard: a filler that halts does not go on
    for event in events:
        what = event["event"]
        if since is not None and what.startswith("playback_"):
            first, last = _column(since), _column(event["t"])
            row[first : last + 1] = (DUCKED_SIGN if ducked else sign) * (last + 1 - first)
            if what == "playback_ended" and not event["completed"]:
                row[last] = "x"
        if what == "playback_started":
            started.add(event["trace_id"])
        if what in ("playback_ducked", "playback_restored", "playback_ended"):
            ducked = what == "playback_ducked"
            since = event["t"]
        if what == "playback_resumed" and event["trace_id"] not in started:
            since = None
        elif what in BOT_SIGNS:
            since, sign = event["t"], BOT_SIGNS[what]
        elif what == "playback_ended":
            since = None
    for event in events:
        if kind_of(event) == REPLY_FAILED:
            row[_column(event["t"])] = EVENT_LETTERS[REPLY_FAILED]
    return "".join(row)
