"""A session and its observers, as the LiveKit edge serves it; and what makes one for each caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.node.event_log import event_tap
from webapi.voice_node.pipeline import Session
from webapi.voice_node.recording.call_recorder import CallRecorder
from webapi.voice_node.recording.retention import new_recording
from webapi.voice_node.room.session_port import Call, SessionPort

Write = Callable[[dict[str, Any]], None]


class Sessions:
    """Makes a session for each caller: the graph of the moment, its turns measured, logged and told to the room.

    Where `graph` is set to another one, the sessions made before are outdated.
    """

    def __init__(self, graph: GraphSpec, settings: Settings, write: Write) -> None:
        self.graph = graph
        self._settings = settings
        self._write = write

    def __call__(self, call: Call) -> SessionPort:
        """The session for a call. Raises what an orchestrator raises that can't be made."""
        graph = self.graph
        return LiveSession(call, graph, self._settings, self._write, lambda: self.graph is not graph)


class LiveSession:
    """One room, one caller, and all that is noted of it."""

    def __init__(
        self, call: Call, graph: GraphSpec, settings: Settings, write: Write, outdated: Callable[[], bool]
    ) -> None:
        log = logger.bind(session_id=call.session_id, room=call.room)

        def turn_over(line: dict[str, Any]) -> None:
            write(line)
            call.tell({"event": "turn", **line})

        began_us = call.clock()
        self._recorder = recorder_for(call, graph, settings, began_us)
        self._session = Session(
            graph,
            settings=settings,
            sink=call.sink,
            clock=call.clock,
            session_id=call.session_id,
            room=call.room,
            taps=[call.tap],
            on_failure=call.broke,
            on_trouble=lambda error: log.opt(exception=error).error(str(error)),
            note=self._recorder.note if self._recorder else None,
            origin_us=began_us,
        )
        self._metrics = Metrics(call.session_id, call.room, graph.name, turn_over)
        self._session.tap(self._metrics)
        self._session.tap(event_tap(call.session_id, call.room, began_us))
        if self._recorder:
            write_event = self._recorder.event
            self._session.tap(lambda event: write_event(event, began_us))
        self.graph = graph.name
        self.hear = self._session.hear
        self.lost = self._session.lost
        self.cut = self._session.cut
        self._outdated = outdated

    @property
    def origin_us(self) -> int:
        """The clock when it began."""
        return self._session.origin_us

    @property
    def outdated(self) -> bool:
        """There is another graph by now."""
        return self._outdated()

    @property
    def between_turns(self) -> bool:
        """Neither is the caller speaking nor is a reply made or played."""
        return self._session.between_turns

    async def close(self) -> None:
        """End the session; every turn has its line then."""
        await self._session.close()
        self._metrics.close()
        if self._recorder:
            await asyncio.get_running_loop().run_in_executor(None, self._recorder.close)


def recorder_for(call: Call, graph: GraphSpec, settings: Settings, began_us: int) -> CallRecorder | None:
    """What records the call, where that is wanted. A call that can't be recorded is served all the same."""

    def lose(why: object) -> None:
        bound = logger.bind(event="record_failed", session_id=call.session_id, room=call.room)
        bound.error(f"this call is not recorded: {why}")

    if settings.record_dir is None:
        return None
    try:
        return new_recording(
            settings, graph, session_id=call.session_id, room=call.room, origin_us=began_us, on_problem=lose
        )
    except OSError as error:
        lose(error)
        return None
