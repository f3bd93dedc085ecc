"""`python -m webapi.voice_node.dev_server --get`: finds or builds the LiveKit server, and prints its path."""

from __future__ import annotations

import argparse
import asyncio
import sys

from webapi.voice_node.dev_server.binary import build_server, find_server
from webapi.voice_node.errors import UserError


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Find or build the program of the server, and print its path."""
    options = argparse.ArgumentParser(prog="python -m webapi.voice_node.dev_server", description=main.__doc__)
    options.add_argument("--get", action="store_true", required=True, help="find it, or build it; print its path")
    options.parse_args()
    try:
        print(find_server() or asyncio.run(build_server(_to_stderr)))
    except UserError as error:
        _to_stderr(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
