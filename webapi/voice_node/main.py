"""The entry point of the program: `python -m webapi.voice_node.main`, and the installed console commands."""

from __future__ import annotations

from webapi.voice_node.cli.app import app, main, run_by_default, run_voice_node

__all__ = ["app", "main", "run_by_default", "run_voice_node"]

if __name__ == "__main__":
    main()
