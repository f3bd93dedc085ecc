"""Runs the LiveKit server in Docker, by docker-compose.livekit.yml."""

from __future__ import annotations

import json
import os
from pathlib import Path

from webapi.voice_node.dev_server.command import ask, run
from webapi.voice_node.dev_server.process import ServerProcess, free_port
from webapi.voice_node.errors import PrintLine

NAME = "docker-compose.livekit.yml"
FOLDERS = (Path(__file__).parents[3], Path(__file__).parents[1] / "_docker")  # in a clone; in a wheel
PULL_S = 600.0


def compose_file() -> Path | None:
    """The path of the compose file; None where there is none."""
    return next((folder / NAME for folder in FOLDERS if (folder / NAME).is_file()), None)


async def docker_answers() -> bool:
    """Whether a Docker engine runs and `docker compose` is there. (The command `docker` alone is not enough.)"""
    engine = await ask(["docker", "version", "--format", "{{.Server.Version}}"])
    return bool(engine) and await ask(["docker", "compose", "version"]) is not None


async def docker_server(
    compose: Path, host: str, port: int, key: str, secret: str, log: Path, say: PrintLine
) -> ServerProcess:
    """The server of the compose file, not started yet; its image is pulled. UserError where that fails."""
    env = {
        "LIVEKIT_PORT": str(port),
        "LIVEKIT_TCP_PORT": str(free_port("tcp", port + 1)),
        "LIVEKIT_UDP_PORT": str(free_port("udp", port + 2)),
        "LIVEKIT_KEYS": json.dumps({key: secret}),
    }
    docker = ["docker", "compose", "--project-name", f"voice-node-{port}", "--file", str(compose)]
    await run([*docker, "pull"], {**os.environ, **env}, PULL_S, "getting the LiveKit server's Docker image", say)
    up = ["up", "--force-recreate", "--no-color", "--no-log-prefix"]
    return ServerProcess([*docker, *up], host, port, log, env)
