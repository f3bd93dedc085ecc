"""The operators, one in each file, and their table by the names that graphs use."""

from __future__ import annotations

from typing import Any

from webapi.voice_node.operators.cancel_echo import cancel_echo
from webapi.voice_node.operators.combine import combine
from webapi.voice_node.operators.end_of_turn import end_of_turn
from webapi.voice_node.operators.kinds import Operator
from webapi.voice_node.operators.reply import reply
from webapi.voice_node.operators.resample import resample
from webapi.voice_node.operators.tap import tap
from webapi.voice_node.operators.turn_events import turn_events
from webapi.voice_node.operators.vad import vad
from webapi.voice_node.operators.window import window
from webapi.voice_node.plugins import Plugins

ENTRY_POINTS = "voice_node.operators"


def wrong(name: str, loaded: Any) -> str:
    """Why `loaded` can't be the operator `name`, or "". Raises where its signature can't be read."""
    if not isinstance(loaded, Operator):
        return f"it is no operator but of type {type(loaded).__name__}: put @operator(takes=…) before the function."
    if loaded.name != name:
        return f"the function is named {loaded.name!r}: the two names must be the same."
    _ = loaded.arguments, loaded.streams  # derived on first use
    return ""


BUILT_IN = (cancel_echo, combine, end_of_turn, reply, resample, tap, turn_events, vad, window)
TABLE: Plugins[Operator[Any, Any]] = Plugins("operator", ENTRY_POINTS, {each.name: each for each in BUILT_IN}, wrong)
