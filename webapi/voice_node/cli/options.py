"""Options that several commands have, and the settings that follow from them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from webapi.voice_node.cli.terminal import folded, terminal_columns
from webapi.voice_node.config import Settings, load_settings, with_hidden_secrets, without_secret
from webapi.voice_node.errors import UserError, nearest
from webapi.voice_node.errors.advice import SETTINGS_LIST

Graph = Annotated[str | None, typer.Option(help="A graph's name in graphs/, or a path ending in .yaml (VOICE_GRAPH).")]
Room = Annotated[str | None, typer.Option(help="The room (LK_ROOM).")]
Url = Annotated[str | None, typer.Option(help="The LiveKit server (LIVEKIT_URL).")]
Record = Annotated[str | None, typer.Option(help="A folder to record calls into (RECORD_DIR).")]
DevServer = Annotated[bool, typer.Option(help="Get a LiveKit server where none answers on loopback.")]
Watch = Annotated[bool, typer.Option("--watch", help="Read the graph anew when its file changes.")]
Channel = Annotated[int, typer.Option(min=0, help="The channel of a WAV in which the caller is; the first is 0.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="How many recordings run side by side.", show_default="the machine's cores"),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any environment variable of the node; may be repeated."),
]


def settings_from(given: Sequence[str] | None, **options: object) -> Settings:
    """Return the settings, with the command line's on top: `--set NAME=VALUE` as `given`, other options by attribute.

    An option that is None was not given. Raises UserError for settings that are not allowed.
    """
    overrides = name_value_pairs(given)
    overrides.update({name: value for name, value in options.items() if value is not None})
    return load_settings(**overrides)


def name_value_pairs(given: Sequence[str] | None, option: str = "--set") -> dict[str, object]:
    """Return the values of NAME=VALUE by the attributes of Settings, secrets as SecretStr.

    Raises UserError for an unknown NAME.
    """
    found: dict[str, object] = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        field = name.strip().lower()
        if not equals:
            raise UserError(
                f"{option} {without_secret(pair)}: it is {option} NAME=VALUE, with a NAME of {SETTINGS_LIST}"
            )
        if field not in Settings.model_fields:
            near = nearest(field.upper(), [each.upper() for each in Settings.model_fields])
            raise UserError(f"{option} {name}: there is no setting {field.upper()!r}.{near} See {SETTINGS_LIST}")
        found[field] = value
    return with_hidden_secrets(found)


def one_of(option: str, given: str, *allowed: str) -> str:
    """Return the value of an option. Raises UserError where it is not one of `allowed`."""
    if given not in allowed:
        raise UserError(f"{option} {given}: it is {', '.join(allowed[:-1])} or {allowed[-1]}")
    return given


def print_error(text: str) -> None:
    """Print a line to stderr, folded at the terminal's width."""
    typer.echo(folded(text, terminal_columns(sys.stderr)), err=True)
