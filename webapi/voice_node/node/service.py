"""What `run` serves: one room for ever, or each room that matches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from webapi.voice_node.clock.run import done_before
from webapi.voice_node.config import Settings
from webapi.voice_node.livekit_runner import LiveKitRunner
from webapi.voice_node.node.calls import Calls
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.monitoring import Report
from webapi.voice_node.node.rooms.choose import example
from webapi.voice_node.node.rooms.serve import ManyRooms
from webapi.voice_node.room.session_port import MakeSession

OFF = "off"  # of LK_ROOMS


class Service(Protocol):
    """Serves callers, and passes on what is told to all of them."""

    @property
    def page_settings(self) -> Settings:
        """The settings for the page: its room is one that is served."""

    def renew(self) -> None:
        """Other sessions are made from now on: outdated ones are replaced between two turns."""

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to all clients of all rooms."""

    async def run(self, drain: asyncio.Event, stop: asyncio.Event, ready: Callable[[], object]) -> None:
        """Serve until `stop` is set, or `drain` is and the calls are over. Raises UserError."""


MakeService: TypeAlias = Callable[[Settings, SessionFactory, Report], Service]


def many_rooms(settings: Settings) -> bool:
    """Whether the settings ask for more rooms than LK_ROOM."""
    return settings.lk_rooms != OFF


def make_service(settings: Settings, make_session: MakeSession, report: Report) -> Service:
    """The service that the settings ask for. `report` gets why it takes no call, and None when it does."""
    return (ManyService if many_rooms(settings) else OneService)(settings, make_session, report)


class OneService:
    """Serves LK_ROOM, and joins it again whenever it was lost or closed."""

    def __init__(self, settings: Settings, make_session: MakeSession, report: Report) -> None:
        self.page_settings = settings
        self._report = report
        self._runner = LiveKitRunner(settings, make_session)
        self.renew = self._runner.renew
        self.send = self._runner.send

    async def run(self, drain: asyncio.Event, stop: asyncio.Event, ready: Callable[[], object]) -> None:
        """Serve until `stop` is set. `ready` is called when the room is joined for the first time."""

        def joined() -> None:
            self._report(None)
            ready()

        await self._runner.run(stop, joined)


class ManyService:
    """Serves each room that matches LK_ROOMS while somebody is in it, MAX_CALLS of them at a time."""

    def __init__(self, settings: Settings, make_session: MakeSession, report: Report) -> None:
        self._report = report
        self.page_settings = settings.model_copy(update={"lk_room": example(settings.lk_rooms, settings.lk_room)})
        self._settings = settings
        self._make_session = make_session
        self._calls = Calls(settings.max_calls)
        self.renew = self._calls.renew
        self.send = self._calls.send

    async def run(self, drain: asyncio.Event, stop: asyncio.Event, ready: Callable[[], object]) -> None:
        """Serve until `drain` or `stop` is set. `ready` is called when the server has told its rooms."""
        rooms = ManyRooms(self._settings, self._make_session, self._calls, self._report)
        try:
            await done_before([stop], rooms.run(drain, ready))
        finally:
            self._report("draining")
            await self._calls.finish(stop, self._settings.drain_timeout_s)
