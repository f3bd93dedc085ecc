"""What an event loop still holds: its sockets and tasks."""

from __future__ import annotations

import asyncio
from typing import Any


def sockets() -> int:
    """How many sockets the running loop has open, beside its own for waking up."""
    loop: Any = asyncio.get_running_loop()
    return len(loop._selector.get_map()) - 1


async def nothing_open() -> None:
    """Wait until no socket and no task is left. A test that waits for ever is ended by pytest's timeout."""
    while sockets() or len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.01)
