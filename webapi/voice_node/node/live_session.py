"""A session with its metrics, log and recording, as the LiveKit edge serves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from loguru import logger

from webapi.voice_node.clock.off_loop import in_threads
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import describe
from webapi.voice_node.events import HungUp
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.metrics import Metrics
from webapi.voice_node.node.call_observer import CallObserver, Observe
from webapi.voice_node.node.event_log import event_tap
from webapi.voice_node.pipeline import Session
from webapi.voice_node.recording.call_recorder import CallRecorder
from webapi.voice_node.recording.retention import new_recording
from webapi.voice_node.room.session_port import SessionPort, SessionRequest

WriteLine = Callable[[dict[str, Any]], None]


class SessionFactory:
    """Makes a session for each call, with the current `graph`. `write` gets each turn's line of metrics.jsonl.

    Each of `observe` makes an observer of each call.

    Where `graph` is set to another one, the sessions made before are outdated.
    """

    def __init__(self, graph: GraphSpec, settings: Settings, write: WriteLine, observe: Sequence[Observe] = ()) -> None:
        self.graph = graph
        self._settings = settings
        self._write = write
        self._observe = observe

    def with_graph(self, graph: GraphSpec, settings: Settings) -> SessionFactory:
        """The same for calls that have another graph or other settings."""
        return SessionFactory(graph, settings, self._write, self._observe)

    def __call__(self, request: SessionRequest) -> SessionPort:
        """The session for a call. Raises what the orchestrator's constructor raises."""
        graph = self.graph
        return LiveSession(
            request,
            graph,
            self._settings,
            self._write,
            self._observe,
            is_outdated=lambda: self.graph is not graph,
        )


class LiveSession:
    """The session of one caller in one room, with everything that is written about it."""

    def __init__(
        self,
        request: SessionRequest,
        graph: GraphSpec,
        settings: Settings,
        write: WriteLine,
        observe: Sequence[Observe] = (),
        *,
        is_outdated: Callable[[], bool],
    ) -> None:
        log = logger.bind(session_id=request.session_id, room=request.room)

        def on_turn(line: dict[str, Any]) -> None:
            write(line)
            for observer in self._observers:
                observer.on_turn(line)
            # Clients have the words by the events; those of a long reply would not fit into one message.
            request.send({"event": "turn", **{name: value for name, value in line.items() if name != "words"}})

        self._observers: list[CallObserver] = []
        self._closing: asyncio.Task[None] | None = None
        began_us = request.since_us
        self._recorder = new_recorder(request, graph, settings, began_us)
        self._session = Session(
            graph,
            settings=settings,
            sink=request.sink,
            clock=request.clock,
            session_id=request.session_id,
            room=request.room,
            taps=[request.tap],
            on_failure=request.broke,
            on_trouble=lambda error: log.opt(exception=error).error(str(error)),
            note=self._recorder.note if self._recorder else None,
            origin_us=began_us,
            caller=request.caller,
            compute=in_threads(asyncio.get_running_loop()),
        )
        self._session.tap(lambda event: request.hang_up(event.reason) if isinstance(event, HungUp) else None)
        self._metrics = Metrics(request.session_id, request.room, graph.name, on_turn, words=settings.log_transcripts)
        self._session.tap(self._metrics)
        self._session.tap(event_tap(request.session_id, request.room, began_us, words=settings.log_transcripts))
        if self._recorder:
            write_event = self._recorder.event
            self._session.tap(lambda event: write_event(event, began_us))
        # Last: an orchestrator that can't be made has raised by now, and there is no call to observe.
        for make in observe:
            self._observers.append(make(request, graph.name))
            self._session.tap(self._observers[-1].on_event)
        self.graph = graph.name
        self.hear = self._session.hear
        self.lost = self._session.lost
        self.press = self._session.press
        self.cut = self._session.cut
        self._is_outdated = is_outdated

    @property
    def origin_us(self) -> int:
        """The time when it began, in microseconds of the call's clock."""
        return self._session.origin_us

    @property
    def outdated(self) -> bool:
        """The factory has another graph by now."""
        return self._is_outdated()

    @property
    def between_turns(self) -> bool:
        """The caller does not speak, and no reply is made or played."""
        return self._session.between_turns

    async def close(self, reason: str = "closed") -> None:
        """End the session, and write what is left: the line of each turn, and the recording.

        A close that is given up goes on by itself. Asked for again, it is waited for once more.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(reason), name="session-close")
        await asyncio.shield(self._closing)

    async def _close(self, reason: str) -> None:
        try:
            await self._session.close(reason)
            self._metrics.close()
        finally:
            for observer in self._observers:
                observer.ended(reason)
            recorder, self._recorder = self._recorder, None
            written = asyncio.get_running_loop().run_in_executor(None, recorder.close) if recorder else None
        if written:
            await written


def new_recorder(request: SessionRequest, graph: GraphSpec, settings: Settings, began_us: int) -> CallRecorder | None:
    """The recorder of a call; None where RECORD_DIR is off or can't be written. The call is served all the same."""

    def on_problem(why: object) -> None:
        bound = logger.bind(event="record_failed", session_id=request.session_id, room=request.room)
        bound.error(f"this call is not recorded: {why}")

    if settings.record_dir is None:
        return None
    try:
        return new_recording(
            settings,
            graph,
            session_id=request.session_id,
            room=request.room,
            origin_us=began_us,
            caller=request.caller,
            on_problem=on_problem,
        )
    except Exception as error:  # whatever is wrong with the folder, the call is served
        on_problem(error if isinstance(error, OSError) else describe(error))
        return None
