"""The command `run`: the node, until Ctrl-C or SIGTERM."""

from __future__ import annotations

from typing import Annotated

import typer

from webapi.voice_node.cli.options import DevServer, Graph, Record, Room, Set, Url, Watch, settings_from
from webapi.voice_node.cli.serving import serve
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
    url: Url = None,
    record: Record = None,
    set_: Set = None,
    dev_server: DevServer = True,
    page: Annotated[bool, typer.Option(help="Serve the client page.")] = True,
    watch: Watch = False,
) -> None:
    """Join the room and serve callers until Ctrl-C or SIGTERM; SIGHUP reads the graph anew. The default command.

    With --rooms or --all-rooms, calls in progress go on after the first Ctrl-C or SIGTERM, for DRAIN_TIMEOUT_S at most.
    """
    from webapi.voice_node.node.service import many_rooms

    settings = settings_from(
        set_,
        voice_graph=graph,
        lk_room=room,
        lk_rooms=_pattern(room, rooms, all_rooms=all_rooms),
        lk_bot_identity=identity,
        livekit_url=url,
        record_dir=record,
    )
    serve(settings, drains=many_rooms(settings), watch=watch, dev_server=dev_server, page=page)


def _pattern(room: str | None, rooms: str | None, *, all_rooms: bool) -> str | None:
    """The value of LK_ROOMS that the options give; None where they give none. UserError where they contradict."""
    if rooms is not None and not rooms.strip():
        raise UserError("--rooms '': a pattern is needed, such as 'support-*', or --all-rooms")
    given = [name for name, value in (("--room", room), ("--rooms", rooms), ("--all-rooms", all_rooms)) if value]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)}: only one of them, as each says which rooms are served")
    return "*" if all_rooms else rooms or ("off" if room else None)
