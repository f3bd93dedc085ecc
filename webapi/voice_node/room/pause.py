"""The pause before something that failed is tried again: it doubles with each failure in a row."""

from __future__ import annotations

MIN_PAUSE_S, MAX_PAUSE_S = 1.0, 60.0


def longer_pause(before_s: float) -> float:
    """The next pause in seconds; MIN_PAUSE_S after none (0)."""
    return min(MAX_PAUSE_S, max(MIN_PAUSE_S, 2 * before_s))
