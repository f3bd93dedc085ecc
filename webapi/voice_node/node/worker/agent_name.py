"""The name by which LiveKit dispatches calls to a worker."""

from __future__ import annotations

from webapi.voice_node.config import Settings

EVERY_ROOM = "*"  # of LK_AGENT_NAME


def agent_name(settings: Settings) -> str:
    """LK_AGENT_NAME as LiveKit knows it: blank for an agent that gets every new room."""
    return "" if settings.lk_agent_name == EVERY_ROOM else settings.lk_agent_name
