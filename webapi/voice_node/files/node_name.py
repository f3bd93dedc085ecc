"""What a node is called in its files, so that those of several nodes can be told apart and merged."""

from __future__ import annotations

import os
import socket

from webapi.voice_node.config import Settings

AUTO = "auto"


def node_name(settings: Settings) -> str:
    """NODE_NAME; where that is `auto`, the host's name and the number of this process: `worker-7f9c-1`."""
    return f"{socket.gethostname()}-{os.getpid()}" if settings.node_name == AUTO else settings.node_name
