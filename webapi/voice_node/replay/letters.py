"""The letter of each event, in marble texts, in timelines and in tests."""

from __future__ import annotations

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
    "playback_ended": "p",
}
