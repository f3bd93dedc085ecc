"""Starts and ends everything that `run` needs: server, page, log, metrics, and a session for each caller."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from loguru import logger

from webapi.voice_node.clock.run import done_before
from webapi.voice_node.config import Settings
from webapi.voice_node.dev_server.server import dev_server
from webapi.voice_node.errors import PrintLine, UserError
from webapi.voice_node.files.node_name import AUTO, node_name
from webapi.voice_node.files.preflight import check_writable
from webapi.voice_node.graph.check import answerers_of, load_and_check, make_orchestrators, orchestrators_of
from webapi.voice_node.graph.spec import GraphSpec
from webapi.voice_node.metrics import MetricsFile
from webapi.voice_node.node.graph_reload import GraphReloader
from webapi.voice_node.node.live_session import SessionFactory
from webapi.voice_node.node.log_setup import configure
from webapi.voice_node.node.loop_watch import LoopWatch, log_blocked
from webapi.voice_node.node.monitoring import start_monitoring
from webapi.voice_node.node.service import MakeService, Service, make_service, many_rooms
from webapi.voice_node.node.web import WebServer
from webapi.voice_node.orchestrator import close_orchestrator, find_orchestrator
from webapi.voice_node.recording.retention import check_recordings
from webapi.voice_node.vad import VoiceActivityDetector


async def run_node(
    settings: Settings,
    stop: asyncio.Event,
    reload: asyncio.Event,
    drain: asyncio.Event,
    *,
    watch: bool,
    local_server: bool,
    page: bool,
    say: PrintLine,
    worker: MakeService | None = None,
) -> None:
    """Serve callers until `stop` is set. `say` gets lines for the terminal. Raises UserError.

    `worker` makes what serves dispatched calls. Without it, LK_ROOM is served or, with LK_ROOMS, many rooms. Where
    `drain` is set, the calls in progress are served to their end, except in LK_ROOM.
    The graph's file is read again when `reload` is set and, with `watch`, after it has changed. A local server that was
    started here and does not stay up sets `stop`, and the error is raised once all is closed.
    """
    server_gone: list[UserError] = []

    def on_server_gone(error: UserError) -> None:
        server_gone.append(error)
        stop.set()

    signals = (stop, drain)  # before anything is served, both end the node
    graph, vad = _checked(settings)
    if not await done_before(signals, _check_parts(graph)):
        return
    for made in make_orchestrators(graph, settings):
        await close_orchestrator(made)
    async with AsyncExitStack() as ending:
        ending.callback(configure(settings))
        many = worker is not None or many_rooms(settings)
        max_calls = settings.max_calls if many else 1
        monitoring = await start_monitoring(settings, max_calls, ending, by_default=worker is not None)
        watch_loop = LoopWatch(asyncio.get_running_loop(), log_blocked)
        watch_loop.start()
        ending.callback(watch_loop.stop)
        logger.bind(event="graph_loaded", graph=graph.name, path=str(graph.path)).info(f"graph {graph.name} loaded")
        if vad.fallback:
            logger.bind(event="vad_fallback", vad_backend=settings.vad_backend).warning(f"VAD: {vad.fallback}")
        node = node_name(settings) if many or settings.node_name != AUTO else None  # there may be other nodes
        metrics = MetricsFile(settings.metrics_file, node) if settings.metrics_file else None
        if metrics:
            ending.callback(metrics.close)
        write = metrics.write if metrics else lambda _: None
        sessions = SessionFactory(graph, settings, write, monitoring.observe)
        service = (worker or make_service)(settings, sessions, monitoring.state)
        reloading = _reloader(graph, settings, sessions, service).run(reload, watch=watch)
        ending.callback(asyncio.create_task(reloading, name="graph-watch").cancel)
        key, secret = settings.livekit_api_key, settings.livekit_api_secret.get_secret_value()
        server = dev_server(settings.livekit_url, key, secret, enabled=local_server, say=say, on_gone=on_server_gone)
        if not await done_before(signals, ending.enter_async_context(server)):
            return
        url = ""
        if page:
            web = WebServer(service.page_settings)
            url = await web.start()
            ending.push_async_callback(web.stop)
        await service.run(drain, stop, ready=lambda: say(f"Open {url}") if url else None)
    if server_gone:
        raise server_gone[0]


def _checked(settings: Settings) -> tuple[GraphSpec, VoiceActivityDetector]:
    """The graph and a VAD, made to check them. UserError for what would otherwise fail in the first turn."""
    graph = load_and_check(settings.voice_graph, settings)
    if settings.orchestrator not in orchestrators_of(graph):
        find_orchestrator(settings.orchestrator)
    vad = VoiceActivityDetector(settings.vad_backend, rate=settings.audio_target_rate, frame_ms=settings.audio_frame_ms)
    check_writable(settings)
    check_recordings(settings)
    return graph, vad


async def _check_parts(graph: GraphSpec) -> None:
    """Open and close each part that the graph gives. UserError for each that can't work, before a caller is there."""
    if any(given for _, _, given in answerers_of(graph)):
        from webapi.voice_node.converse.check_parts import check_parts
        from webapi.voice_node.graph.parts import parts_of

        await check_parts(parts_of(graph))


def _reloader(graph: GraphSpec, settings: Settings, sessions: SessionFactory, service: Service) -> GraphReloader:
    """Gives a changed graph to the sessions, and the mistakes in a wrong one to the clients."""

    def on_loaded(changed: GraphSpec) -> None:
        sessions.graph = changed
        service.renew()

    def on_refused(why: str) -> None:
        service.send({"event": "graph_refused", "graph": graph.name, "detail": why})

    return GraphReloader(graph, settings, on_loaded=on_loaded, on_refused=on_refused)
