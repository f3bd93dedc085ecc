"""What `run` puts together and takes apart: server, page, log, metrics, and a session for each caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlencode

from loguru import logger

from webapi.voice_node.config import Settings, check_writable, is_loopback_host
from webapi.voice_node.dev_server import dev_server
from webapi.voice_node.graph import load_graph
from webapi.voice_node.graph_spec import GraphSpec
from webapi.voice_node.livekit_call import Call, MakeSession, Served
from webapi.voice_node.livekit_runner import LiveKitRunner
from webapi.voice_node.log import configure
from webapi.voice_node.log_events import event_tap
from webapi.voice_node.metrics import Metrics, MetricsFile
from webapi.voice_node.orchestrator import load_orchestrator
from webapi.voice_node.pipeline import Session
from webapi.voice_node.recordings import check_recordings, new_recording
from webapi.voice_node.tape import Recorder
from webapi.voice_node.tokens import mint
from webapi.voice_node.vad import VoiceActivityDetector
from webapi.voice_node.web import TOKEN_TTL, WebServer

Say = Callable[[str], None]


async def run_node(settings: Settings, stop: asyncio.Event, *, local_server: bool, page: bool, say: Say) -> None:
    """Serve callers until `stop` is set. UserError for what the user can mend; `say` gets what people want to know."""
    graph = load_graph(settings.voice_graph, settings)
    load_orchestrator(settings.orchestrator, settings)  # so that a wrong one ends the node now and not its first turn
    vad = VoiceActivityDetector(  # for the same reason
        settings.vad_backend, rate=settings.audio_target_rate, frame_ms=settings.audio_frame_ms
    )
    check_writable(settings)
    check_recordings(settings)
    async with AsyncExitStack() as ending:
        ending.callback(configure(settings))
        logger.bind(event="graph_loaded", graph=graph.name, path=str(graph.path)).info(f"graph {graph.name} loaded")
        if vad.fallback:
            logger.bind(event="vad_fallback", vad_backend=settings.vad_backend).warning(f"VAD: {vad.fallback}")
        metrics = MetricsFile(settings.metrics_file) if settings.metrics_file else None
        if metrics:
            ending.callback(metrics.close)
        key, secret = settings.livekit_api_key, settings.livekit_api_secret.get_secret_value()
        server = dev_server(settings.livekit_url, key, secret, enabled=local_server, say=say)
        if not await done_before(stop, ending.enter_async_context(server)):
            return
        if page:
            web = WebServer(settings)
            url = await web.start()
            ending.push_async_callback(web.stop)
            say(f"Open {joinable(url, settings)}")
        write = metrics.write if metrics else lambda _: None
        await LiveKitRunner(settings, sessions(graph, settings, write)).run(stop)


async def done_before(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Whether `work` was done before `stop` was set; if not, it is cancelled. Getting a server may take minutes."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    for each in (task, stopped):
        each.cancel()
    await asyncio.wait([task, stopped])
    if task.cancelled():
        return False
    task.result()
    return True


def joinable(page_url: str, settings: Settings) -> str:
    """The page's URL with all that is needed to join behind the #, where neither servers nor their logs see it."""
    if not is_loopback_host(settings.web_host):
        return page_url
    token = mint(settings, "caller", settings.lk_room, ttl=TOKEN_TTL)
    return f"{page_url}/#{urlencode({'url': settings.livekit_url, 'room': settings.lk_room, 'token': token})}"


def sessions(graph: GraphSpec, settings: Settings, write: Callable[[dict[str, Any]], None]) -> MakeSession:
    """What makes a session for each caller: its graph running, its turns measured, logged and told to the room."""

    def make(call: Call) -> Served:
        return LiveSession(call, graph, settings, write)

    return make


class LiveSession:
    """A session and its observers, as the LiveKit edge serves it."""

    def __init__(
        self, call: Call, graph: GraphSpec, settings: Settings, write: Callable[[dict[str, Any]], None]
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
        self.hear = self._session.hear
        self.lost = self._session.lost

    @property
    def origin_us(self) -> int:
        """The clock when it began."""
        return self._session.origin_us

    async def close(self) -> None:
        """End the session; every turn has its line then."""
        await self._session.close()
        self._metrics.close()
        if self._recorder:
            await asyncio.get_running_loop().run_in_executor(None, self._recorder.close)


def recorder_for(call: Call, graph: GraphSpec, settings: Settings, began_us: int) -> Recorder | None:
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
