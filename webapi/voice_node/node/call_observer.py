"""What follows a call from beside it: metrics for Prometheus, traces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from webapi.voice_node.events import Event
from webapi.voice_node.room.session_port import SessionRequest


class CallObserver(Protocol):
    """Follows one session. Its methods are called in the session's loop; they must not wait."""

    def on_event(self, event: Event) -> None:
        """A tap of the session."""

    def on_turn(self, line: Mapping[str, Any]) -> None:
        """A turn is over: its line of metrics.jsonl."""

    def ended(self, reason: str) -> None:
        """The session was closed. `reason`: as the orchestrator gets it."""


Observe: TypeAlias = Callable[[SessionRequest, str], CallObserver]  # gets the name of the graph too
