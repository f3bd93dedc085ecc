"""The words inside the page of a timeline: all of them, but never so many that the page grows without bound."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from webapi.voice_node.errors.plain_text import shortened
from webapi.voice_node.replay.timeline.model import SpokenWords

MOST = 500_000  # characters of all words in a page: ten hours of talk
LONGEST = 5_000  # characters of what one side said in a turn
LONGEST_IN_EVENT = 200  # characters: the words of a turn have the text in full
TEXTS = ("text", "message", "reason", "detail")  # fields of events that an orchestrator fills


def page_words(words: Sequence[SpokenWords]) -> list[dict[str, Any]]:
    """Return what was said as the page's script gets it. What is too long is cut; what comes after MOST is left out."""
    left = MOST
    found = []
    for each in words:
        heard = shortened(each.heard, min(LONGEST, left))
        unheard = shortened(each.unheard, min(LONGEST, left) - len(heard))
        left -= len(heard) + len(unheard)
        if heard or unheard:
            found.append({**vars(each), "start": round(each.start, 6), "heard": heard, "unheard": unheard})
    return found


def page_events(events: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the events with their texts cut, and without transcripts that a later one replaced."""
    for event in events:
        if event["event"] != "transcript" or event.get("final", True):
            yield {name: _short(value) if name in TEXTS else value for name, value in event.items()}


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shortened(text, LONGEST_IN_EVENT)
