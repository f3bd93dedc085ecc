"""Whether the process can take a call, and why not."""

from __future__ import annotations

# By monitoring.State. The texts are fixed: the page must not tell a host or a room that an error names.
REASONS: dict[str, str] = {
    "starting": "the node is starting",
    "server_unreachable": "the LiveKit server can't be reached",
    "draining": "the node takes no more calls, and ends when those in progress are over",
}
UNKNOWN = "the node can't take calls; its log says why"


def reason(why: str) -> str:
    """Why it can't, in one line for people."""
    return REASONS.get(why, UNKNOWN)
