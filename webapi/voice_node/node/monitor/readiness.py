"""Whether the process can take a call, and why not."""

from __future__ import annotations

from typing import Literal, TypeAlias

NotReady: TypeAlias = Literal["starting", "server_unreachable", "draining"]

REASONS: dict[str, str] = {  # fixed texts: the page must not tell a host or a room that an error names
    "starting": "the node is starting",
    "server_unreachable": "the LiveKit server can't be reached",
    "draining": "the node takes no more calls, and ends when those in progress are over",
}
UNKNOWN = "the node can't take calls; its log says why"


def reason(why: str) -> str:
    """Why it can't, in one line for people."""
    return REASONS.get(why, UNKNOWN)
