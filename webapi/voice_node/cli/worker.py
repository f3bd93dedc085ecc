"""The command `worker`: takes the calls that LiveKit dispatches."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from webapi.voice_node.cli.options import Graph, Set, settings_from
from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.advice import install


def worker(
    graph: Graph = None,
    agent_name: Annotated[
        str | None, typer.Option(help="The name by which calls are dispatched to it; * for every room (LK_AGENT_NAME).")
    ] = None,
    max_calls: Annotated[int | None, typer.Option(help="How many calls it takes at a time (MAX_CALLS).")] = None,
    executor: Annotated[
        str | None, typer.Option(help="Where calls run: loop, thread or process (JOB_EXECUTOR).")
    ] = None,
    url: Annotated[str | None, typer.Option(help="The LiveKit server (LIVEKIT_URL).")] = None,
    record: Annotated[str | None, typer.Option(help="A folder to record calls into (RECORD_DIR).")] = None,
    set_: Set = None,
    dev_server: Annotated[bool, typer.Option(help="Get a LiveKit server where none answers on loopback.")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Read the graph anew when its file changes.")] = False,
) -> None:
    """Register with LiveKit as an agent server, and serve each call that is dispatched, with the graph it names.

    The first Ctrl-C or SIGTERM lets calls in progress end, for DRAIN_TIMEOUT_S at most; a second one closes them.
    """
    if not _installed():
        raise UserError(f"`voice-node worker` needs the package livekit-agents. Install it: {install('worker')}")
    from webapi.voice_node.clock.run import run_in
    from webapi.voice_node.node.run import run_node
    from webapi.voice_node.node.signals import handle_signals
    from webapi.voice_node.node.worker.service import WorkerService

    settings = settings_from(
        set_,
        voice_graph=graph,
        lk_agent_name=agent_name,
        max_calls=max_calls,
        job_executor=executor,
        livekit_url=url,
        record_dir=record,
    )
    loop = asyncio.new_event_loop()
    stop, reload, drain = asyncio.Event(), asyncio.Event(), asyncio.Event()
    handle_signals(loop, stop, reload, drain)
    running = run_node(
        settings, stop, reload, drain, watch=watch, local_server=dev_server, page=False, say=typer.echo,
        worker=lambda settings, sessions, report: WorkerService(settings, sessions, report, typer.echo),
    )  # fmt: skip
    run_in(loop, running)
    sys.stdout.flush()


def _installed() -> bool:
    try:
        return find_spec("livekit.agents") is not None
    except ModuleNotFoundError:
        return False
