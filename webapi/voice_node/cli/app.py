"""The program `voice-node`: its commands, and what all of them have in common.

Exit codes: 0 done, 1 a check failed, 2 an error that the user can correct, 141 nobody reads the output any more.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, Any, TextIO

import typer

from webapi.voice_node import __version__
from webapi.voice_node.cli.doctor.command import doctor
from webapi.voice_node.cli.graphs import graphs
from webapi.voice_node.cli.replay import replay
from webapi.voice_node.cli.report import report
from webapi.voice_node.cli.run import run
from webapi.voice_node.cli.sweep import sweep
from webapi.voice_node.cli.token import token
from webapi.voice_node.cli.worker import worker
from webapi.voice_node.errors import UserError, nearest

CLOSED_PIPE = 141  # exit code, as of other programs: 128 and SIGPIPE

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    help="The media layer of a voice bot: hears one caller in a LiveKit room, answers, falls silent when talked over.",
)
for command in (run, worker, replay, sweep, report, token, doctor):
    app.command()(command)
app.add_typer(graphs, name="graphs")


@app.callback(invoke_without_command=True)
def top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Print the version, where only that is asked for."""
    if version:
        typer.echo(f"voice-node {__version__}")


def main(arguments: Sequence[str] | None = None) -> Any:
    """The console command `voice-node`. A UserError is printed to stderr without a traceback, with exit code 2.
    So is a file that may not be read or written, and a full disk.

    Where the output is a pipe whose reader has ended, as in `voice-node … | head`, the program ends without a word.
    """
    try:
        return _main(arguments)
    except BrokenPipeError:
        pass
    except SystemExit as ended:  # from rich and click, which catch it first
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
    for stream in (sys.stdout, sys.stderr):
        _discard_if_closed(stream)
    sys.exit(CLOSED_PIPE)


def _main(arguments: Sequence[str] | None) -> Any:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            replace_unknown_characters(stream)
    try:
        app(args=run_by_default(sys.argv[1:] if arguments is None else arguments), prog_name="voice-node")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except OSError as error:
        closed = isinstance(error, PermissionError) and error.filename is not None  # also a folder on the way to it
        if not closed and error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(f"{error.filename or 'what was to be written'}: {error.strerror}\n")
        sys.exit(2)
    finally:
        sys.stdout.flush()


def _discard_if_closed(stream: TextIO) -> None:
    """Let what `stream` still holds go nowhere: Python writes it at its end, and would tell of the error."""
    try:
        stream.flush()
    except BrokenPipeError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run_voice_node() -> Any:
    """The console command `run-voice-node`: `voice-node run`."""
    return main(["run", *sys.argv[1:]])


def run_by_default(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `run` before options: `voice-node --graph X` is `voice-node run --graph X`.

    Raises UserError for a word that is no command.
    """
    commands = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    commands |= {str(group.name) for group in app.registered_groups} | {"--help", "--version"}
    if arguments and arguments[0] in commands:
        return list(arguments)
    if arguments and not arguments[0].startswith("-"):
        there = sorted(commands - {"--help", "--version"})
        raise UserError(
            f"voice-node {arguments[0]}: there is no such command.{nearest(arguments[0], there)} "
            f"There are: {', '.join(there)}."
        )
    return ["run", *arguments]


def replace_unknown_characters(stream: TextIOWrapper) -> None:
    """Print `?` instead of a character that can't be encoded. Files and pipes get UTF-8, on Windows too."""
    asked_for = stream.isatty() or "PYTHONIOENCODING" in os.environ
    stream.reconfigure(encoding=None if asked_for else "utf-8", errors="replace")
