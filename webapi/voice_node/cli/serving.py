"""Runs the node for the commands that serve callers, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import typer

from webapi.voice_node.config import Settings

if TYPE_CHECKING:
    from webapi.voice_node.node.service import MakeService


def serve(
    settings: Settings, *, drains: bool, watch: bool, dev_server: bool, page: bool, worker: MakeService | None = None
) -> None:
    """Run the node in a loop of its own. `drains`: the first signal lets calls end. The rest: see node.run.run_node."""
    from webapi.voice_node.clock.run import run_in
    from webapi.voice_node.node.run import run_node  # livekit and aiohttp: only what serves needs them
    from webapi.voice_node.node.signals import handle_signals

    loop = asyncio.new_event_loop()
    stop, reload, drain = asyncio.Event(), asyncio.Event(), asyncio.Event()
    handle_signals(loop, stop, reload, drain if drains else None)
    running = run_node(
        settings,
        stop,
        reload,
        drain,
        watch=watch,
        local_server=dev_server,
        page=page,
        say=typer.echo,
        worker=worker,
    )
    run_in(loop, running)
    sys.stdout.flush()
