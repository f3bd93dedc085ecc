"""The command `run`: the node, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from webapi.voice_node.cli.options import Graph, Room, Set, settings_from
from webapi.voice_node.errors import UserError


def run(
    graph: Graph = None,
    room: Room = None,
    rooms: Annotated[
        str | None,
        typer.Option(help="Serve each room that matches, such as 'support-*' (LK_ROOMS)."),
    ] = None,
    all_rooms: Annotated[bool, typer.Option("--all-rooms", help="Serve every room: the same as --rooms '*'.")] = False,
    identity: Annotated[str | None, typer.Option(help="The node's name in the room (LK_BOT_IDENTITY).")] = None,
    url: Annotated[str | None, typer.Option(help="The LiveKit server (LIVEKIT_URL).")] = None,
    record: Annotated[str | None, typer.Option(help="A folder to record calls into (RECORD_DIR).")] = None,
    set_: Set = None,
    dev_server: Annotated[bool, typer.Option(help="Get a LiveKit server where none answers on loopback.")] = True,
    page: Annotated[bool, typer.Option(help="Serve the client page.")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Read the graph anew when its file changes.")] = False,
) -> None:
    """Join the room and serve callers until Ctrl-C or SIGTERM; SIGHUP reads the graph anew. The default command.

    With --rooms or --all-rooms, calls in progress go on after the first Ctrl-C or SIGTERM, for DRAIN_TIMEOUT_S at most.
    """
    from webapi.voice_node.clock.run import run_in
    from webapi.voice_node.node.run import run_node  # livekit and aiohttp: only the command that runs needs them
    from webapi.voice_node.node.service import many_rooms
    from webapi.voice_node.node.signals import handle_signals

    settings = settings_from(
        set_,
        voice_graph=graph,
        lk_room=room,
        lk_rooms=_pattern(room, rooms, all_rooms=all_rooms),
        lk_bot_identity=identity,
        livekit_url=url,
        record_dir=record,
    )
    loop = asyncio.new_event_loop()
    stop, reload, drain = asyncio.Event(), asyncio.Event(), asyncio.Event()
    handle_signals(loop, stop, reload, drain if many_rooms(settings) else None)
    running = run_node(settings, stop, reload, drain, watch=watch, local_server=dev_server, page=page, say=typer.echo)
    run_in(loop, running)
    sys.stdout.flush()


def _pattern(room: str | None, rooms: str | None, *, all_rooms: bool) -> str | None:
    """The value of LK_ROOMS that the options give; None where they give none. UserError where they contradict."""
    if rooms is not None and not rooms.strip():
        raise UserError("--rooms '': a pattern is needed, such as 'support-*', or --all-rooms")
    given = [name for name, value in (("--room", room), ("--rooms", rooms), ("--all-rooms", all_rooms)) if value]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)}: only one of them, as each says which rooms are served")
    return "*" if all_rooms else rooms or ("off" if room else None)
