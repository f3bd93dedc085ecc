"""The calls that one event loop serves, each in a room of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from webapi.voice_node.config import Settings
from webapi.voice_node.livekit_runner import LiveKitRunner
from webapi.voice_node.node.draining import wait_for_calls
from webapi.voice_node.room.session_port import MakeSession


class Calls:
    """Serves rooms side by side, up to `limit`. They share the loop, and what fails in one ends only that one.

    A room counts as a call from when the node begins to join it until it has left it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.draining = False
        self._runners: set[LiveKitRunner] = set()
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def active(self) -> int:
        """How many rooms are served now."""
        return len(self._runners)

    @property
    def full(self) -> bool:
        """No further call is taken now."""
        return self.draining or self.active >= self.limit

    async def serve(self, settings: Settings, make_session: MakeSession, token: str | None = None) -> None:
        """Serve the room LK_ROOM of `settings` until it is over, or the calls are drained or closed.

        `token`: for the first join. Raises UserError where it can't be joined, and whatever else ends this call.
        """
        runner = LiveKitRunner(settings, make_session, ends_with_room=True, first_token=token)
        if self.draining:
            runner.drain()
        self._runners.add(runner)
        self._changed.set()
        try:
            await runner.run(self._stop)
        finally:
            self._runners.discard(runner)
            self._changed.set()

    def renew(self) -> None:
        """The sessions that are made from now on are others: outdated ones are replaced between two turns."""
        for runner in self._runners:
            runner.renew()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the clients of all rooms."""
        for runner in self._runners:
            runner.send(message)

    def drain(self) -> None:
        """Take no further call; each caller who is served goes on to the end of their call."""
        self.draining = True
        for runner in self._runners:
            runner.drain()

    async def ended(self) -> None:
        """Return as soon as no room is served."""
        while self._runners:
            self._changed.clear()
            await self._changed.wait()

    async def finish(self, stop: asyncio.Event, timeout_s: float) -> None:
        """Drain, and return when all calls are over. After `timeout_s`, or where `stop` is set, close those left."""
        self.drain()
        await wait_for_calls(lambda: self.active, self.ended(), stop, timeout_s)
        await self.close()

    async def close(self) -> None:
        """End all calls, each within 5 s."""
        self._stop.set()
        await self.ended()
