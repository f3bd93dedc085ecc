"""The letter of each event, in marble texts, in timelines and in tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REPLY_FAILED = "reply_failed"  # the kind of a `reply_ended` whose outcome is one of FAILED
FAILED = ("failed", "timeout")
EVENT_LETTERS = {
    "speech_started": "S",
    "speech_ended": "E",
    "barge_in": "B",
    "superseded": "U",
    "prompted": "A",
    "filler_started": "F",
    "playback_started": "P",
    "playback_paused": "H",
    "playback_resumed": "R",
    "playback_ducked": "V",  # a falling line
    "playback_restored": "L",  # loud again
    "playback_ended": "p",
    REPLY_FAILED: "!",
    "hung_up": "G",  # goodbye
    "dtmf": "D",
}


def kind_of(event: Mapping[str, Any]) -> str:
    """Return the key of a line of events.jsonl in EVENT_LETTERS: the event's name, or REPLY_FAILED."""
    name = str(event["event"])
    return REPLY_FAILED if name == "reply_ended" and event.get("outcome") in FAILED else name
