"""The command `token`: a token for a caller."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from webapi.voice_node.cli.options import Room, Set, settings_from


def token(
    identity: Annotated[str, typer.Option(help="Who joins with it.")],
    room: Room = None,
    minutes: Annotated[int, typer.Option(min=1, max=24 * 60, help="How long one can join with it.")] = 60,
    set_: Set = None,
) -> None:
    """Print a token that lets a caller into one room."""
    from webapi.voice_node.room.tokens import mint

    settings = settings_from(set_, lk_room=room)
    typer.echo(mint(settings, identity, settings.lk_room, ttl=timedelta(minutes=minutes)))
