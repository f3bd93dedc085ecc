"""The command `worker`: takes the calls that LiveKit dispatches."""

from __future__ import annotations

from typing import Annotated

import typer

from webapi.voice_node.cli.options import DevServer, Graph, Record, Set, Url, Watch, settings_from
from webapi.voice_node.cli.serving import serve
from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.advice import can_import, install


def worker(
    graph: Graph = None,
    agent_name: Annotated[
        str | None, typer.Option(help="The name by which calls are dispatched to it; * for every room (LK_AGENT_NAME).")
    ] = None,
    max_calls: Annotated[int | None, typer.Option(help="How many calls it takes at a time (MAX_CALLS).")] = None,
    executor: Annotated[
        str | None, typer.Option(help="Where calls run: loop, thread or process (JOB_EXECUTOR).")
    ] = None,
    url: Url = None,
    record: Record = None,
    set_: Set = None,
    dev_server: DevServer = True,
    watch: Watch = False,
) -> None:
    """Register with LiveKit as an agent server, and serve each call that is dispatched, with the graph it names.

    The first Ctrl-C or SIGTERM lets calls in progress end, for DRAIN_TIMEOUT_S at most; a second one closes them.
    """
    if not can_import("livekit.agents"):
        raise UserError(f"`voice-node worker` needs the package livekit-agents. Install it: {install('worker')}")
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
    serve(
        settings,
        drains=True,
        watch=watch,
        dev_server=dev_server,
        page=False,
        worker=lambda settings, sessions, report: WorkerService(settings, sessions, report, typer.echo),
    )
