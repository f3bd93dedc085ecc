"""Programs on PATH that stand in for Go, Docker and the LiveKit server."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from webapi.voice_node.dev_server.process import free_port
from webapi.voice_node.dev_server.server import dev_server

GO = """
case "$1" in
  env) echo go1.26.8 ;;
  install) printf '#!/bin/sh\\necho built by PATH\\n' > "$GOBIN/server"; chmod +x "$GOBIN/server" ;;
esac
"""


def program(folder: Path, name: str, body: str) -> Path:
    """A program of that name, written in shell."""
    path = folder / name
    path.write_text(f"#!{folder / 'sh'}\n{body}\n")
    path.chmod(0o755)
    return path


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def free_url() -> str:
    return f"ws://127.0.0.1:{free_port('tcp', 0)}"


async def enter(url: str, said: list[str], **options: Any) -> bool:
    async with dev_server(url, say=said.append, **options) as started:
        return started
