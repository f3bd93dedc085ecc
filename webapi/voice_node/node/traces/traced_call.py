"""Follows one call with its trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapi.voice_node.node.traces.call_trace import Traces
from webapi.voice_node.room.session_port import SessionRequest


class TracedCall:
    """A call_observer.CallObserver: the trace begins with the session and ends with it. `words`: as of CallTrace."""

    def __init__(self, traces: Traces, words: bool, request: SessionRequest, graph: str) -> None:
        trace = traces.call(request.session_id, graph, request.since_us, kind=request.caller.kind, words=words)
        self.on_event = trace
        self._close = trace.close

    def on_turn(self, line: Mapping[str, Any]) -> None:
        """Do nothing: the trace makes its turns from the events."""

    def ended(self, reason: str) -> None:
        """The call is over."""
        self._close()
