"""The entry point of the program: `python -m webapi.voice_node.main`, and the installed console commands."""

from __future__ import annotations

from webapi.voice_node.cli.app import app, main, run_by_default, run_voice_node
from webapi.voice_node.cli.program import run_as_program

__all__ = ["app", "main", "program", "run_by_default", "run_program", "run_voice_node"]


def program() -> None:
    """The console command `voice-node`, as the program of a process."""
    run_as_program(main)


def run_program() -> None:
    """The console command `run-voice-node`, as the program of a process."""
    run_as_program(run_voice_node)


if __name__ == "__main__":
    program()
