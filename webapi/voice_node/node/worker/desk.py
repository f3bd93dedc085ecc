"""Decides which calls a worker takes: it answers LiveKit's requests, and counts what was promised."""

from __future__ import annotations

from collections.abc import Callable, Collection

from livekit.agents import JobRequest
from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.node.call_options import CallOptions, read_options
from webapi.voice_node.node.worker.choices import Choices
from webapi.voice_node.node.worker.load import reported_load


class Desk:
    """Takes a call where there is room for it and its metadata can be served.

    `running`: the ids of the jobs that run, from when they are launched. `pressure`: see load.py. A promised call
    counts from the promise on, so that calls that come at once never are more than MAX_CALLS.
    """

    def __init__(
        self,
        settings: Settings,
        choices: Choices,
        running: Callable[[], Collection[str]],
        pressure: Callable[[], float],
    ) -> None:
        self.draining = False
        self._settings = settings
        self._choices = choices
        self._running = running
        self._pressure = pressure
        self._promised: set[str] = set()

    @property
    def calls(self) -> int:
        """How many calls there are, with those that are promised."""
        return len(self._promised | {*self._running()})

    @property
    def full(self) -> bool:
        """No call is taken now."""
        return self.draining or self.load() >= 1.0

    @property
    def has_place(self) -> bool:
        """MAX_CALLS is not reached, however busy the machine is, and the worker goes on."""
        return not self.draining and self.calls < self._settings.max_calls

    def load(self) -> float:
        """What is reported to LiveKit, 0 to 1. Called in a thread too."""
        return reported_load(self.calls, self._settings.max_calls, self._pressure())

    async def on_request(self, request: JobRequest) -> None:
        """Promise to serve the call, or say that another worker should, or that none can."""
        if self.full:
            log = logger.bind(event="call_passed_on", room=request.room.name, calls=self.calls)
            log = log.bind(pressure=round(self._pressure(), 2), draining=self.draining)
            log.info(f"no place for the call in room {request.room.name}: it is left to other workers")
            await request.reject(terminate=False)
            return
        self._promised.add(request.id)  # before the first wait: others may ask now
        try:
            await self._check(request)
            await request.accept(identity=self._settings.lk_bot_identity)  # returns when the job is launched
        except UserError as error:
            room, log = request.room.name, logger.bind(event="call_refused", agent=request.agent_name)
            log.bind(room=room).error(f"call for agent {request.agent_name!r} in room {room} refused: {error}")
            await request.reject(terminate=True)
        finally:
            self._promised.discard(request.id)

    async def _check(self, request: JobRequest) -> None:
        """Load what the call chooses. Raises UserError."""
        options, room = read_options(request.job.metadata), request.room.name
        if options is None:
            log = logger.bind(event="metadata_ignored", room=room)
            log.info(f"room {room}: the metadata of this call is no JSON object, so it chooses nothing")
        await self._choices.ready(options or CallOptions())
