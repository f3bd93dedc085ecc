"""The command `run`: the node, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from webapi.voice_node.cli.options import Graph, Room, Set, settings_from


def run(
    graph: Graph = None,
    room: Room = None,
    identity: Annotated[str | None, typer.Option(help="The node's name in the room (LK_BOT_IDENTITY).")] = None,
    url: Annotated[str | None, typer.Option(help="The LiveKit server (LIVEKIT_URL).")] = None,
    record: Annotated[str | None, typer.Option(help="A folder to record calls into (RECORD_DIR).")] = None,
    set_: Set = None,
    dev_server: Annotated[bool, typer.Option(help="Get a LiveKit server where none answers on loopback.")] = True,
    page: Annotated[bool, typer.Option(help="Serve the client page.")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Read the graph anew when its file changes.")] = False,
) -> None:
    """Join the room and serve callers until Ctrl-C or SIGTERM; SIGHUP reads the graph anew. The default command."""
    from webapi.voice_node.clock.run import run_in
    from webapi.voice_node.node.run import run_node  # livekit and aiohttp: only the command that runs needs them
    from webapi.voice_node.node.signals import handle_signals

    settings = settings_from(
        set_, voice_graph=graph, lk_room=room, lk_bot_identity=identity, livekit_url=url, record_dir=record
    )
    loop = asyncio.new_event_loop()
    stop, reload = asyncio.Event(), asyncio.Event()
    handle_signals(loop, stop, reload)
    run_in(loop, run_node(settings, stop, reload, watch=watch, local_server=dev_server, page=page, say=typer.echo))
    sys.stdout.flush()
