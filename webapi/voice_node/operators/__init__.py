"""The table of operators, by the name that a graph calls them."""

from __future__ import annotations

from typing import Any

from webapi.voice_node.operators.kinds import Operator
from webapi.voice_node.operators.reply import reply
from webapi.voice_node.operators.resample import resample
from webapi.voice_node.operators.turn_events import turn_events
from webapi.voice_node.operators.vad import vad
from webapi.voice_node.operators.window import window

TABLE: dict[str, Operator[Any, Any]] = {each.name: each for each in (reply, resample, turn_events, vad, window)}
