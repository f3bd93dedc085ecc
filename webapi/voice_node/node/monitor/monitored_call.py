"""Counts one call in the process's Monitor."""

from __future__ import annotations

import asyncio
import time

from webapi.voice_node.node.monitor.monitor import Monitor
from webapi.voice_node.room.session_port import SessionRequest
from webapi.voice_node.room.who_is_heard import WHY

ENDED = {  # the first words of the reason for which a session is closed, as labels.ENDED
    WHY["left"]: "left",
    "the bot hung up": "hung_up",
    WHY["connection_lost"]: "lost",
    WHY["node_leaves"]: "closed",
    "the session broke": "failed",
}


class MonitoredCall:
    """A call_observer.CallObserver: the call counts from when it is made until it has ended."""

    def __init__(self, monitor: Monitor, request: SessionRequest, graph: str) -> None:
        self._monitor = monitor
        self._began_s = time.monotonic()
        self.on_event = monitor.on_event
        self.on_turn = monitor.on_turn
        self._unwatch_loop = monitor.watch_loop(asyncio.get_running_loop())  # perhaps one of the call's own
        monitor.call_started(request.caller.kind)

    def ended(self, reason: str) -> None:
        """The call is over."""
        self._unwatch_loop()
        label = next((label for words, label in ENDED.items() if reason.startswith(words)), "over")
        self._monitor.call_ended(label, time.monotonic() - self._began_s)
