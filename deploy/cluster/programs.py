"""The programs of a cluster: Redis, a LiveKit node, a worker, Prometheus; each with its ports and files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from deploy.cluster.program import Program
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
WORKER = (sys.executable, "-m", "webapi.voice_node.main", "worker")
ANSWER_S = 2.0


class Redis(Program):
    """A Redis on loopback. UserError where PATH has no redis-server.

    It keeps its data when it ends: LiveKit would make a room anew that a Redis had forgotten, beside the call in it.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.address = f"{HOST}:{port}"
        command = [_program("redis-server", "redis-server"), "--bind", HOST, "--port", str(port)]
        command += ["--save", "", "--appendonly", "yes"]
        super().__init__("redis", command, folder / "redis" / "redis.log", self._pongs)

    async def _pongs(self) -> bool:
        return await self.ask("PING") == "PONG"

    async def ask(self, *words: str) -> str | None:
        """The answer to a command that has a short one; None where there is none."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        lines = await _exchange(self.port, request.encode(), 2)
        if lines and lines[0].startswith("$"):
            return lines[1] if len(lines) > 1 and lines[0] != "$-1" else None
        return lines[0][1:] if lines else None


class LiveKitNode(Program):
    """One node of a distributed LiveKit. `url`: where clients and workers join."""

    def __init__(
        self, number: int, folder: Path, binary: Path, redis: Redis, ports: Sequence[int], keys: tuple[str, str]
    ) -> None:
        port, udp_port, metrics_port = ports
        self.url = f"ws://{HOST}:{port}"
        self.metrics = f"{HOST}:{metrics_port}"
        name = f"livekit-{number}"
        config = folder / name / "livekit.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(yaml.safe_dump(livekit_config(port, udp_port, metrics_port, redis.address)), "utf-8")
        super().__init__(
            name,
            [binary, "--config", config, "--node-ip", HOST],
            folder / name / "livekit.log",
            lambda: _is_ok(port, "/"),
            # Not in the file or the command line, which every user of the machine can read.
            env={**os.environ, "LIVEKIT_KEYS": json.dumps(dict([keys]))},
        )

    @property
    def id(self) -> str:
        """The id by which Redis knows the node, since its last start; "" before."""
        _, _, rest = self.output.partition('"nodeID":"')
        return rest.partition('"')[0]


class Worker(Program):
    """One `voice-node worker`, with a folder for its log, its metrics and its recordings."""

    def __init__(
        self, number: int, folder: Path, node: LiveKitNode, monitor_port: int, settings: Mapping[str, object]
    ) -> None:
        self.node = node
        self.folder = folder / f"worker-{number}"
        self.monitor = f"{HOST}:{monitor_port}"
        self.log_file = self.folder / "voice_node.log"
        self.metrics_file = self.folder / "metrics.jsonl"
        ours = {
            "LIVEKIT_URL": node.url,
            "MONITOR_HOST": HOST,
            "MONITOR_PORT": monitor_port,
            "LOG_FILE": self.log_file,
            "METRICS_FILE": self.metrics_file,
            "RECORD_DIR": self.folder / "recordings",
        }
        super().__init__(
            f"worker-{number}",
            WORKER,
            self.folder / "output.txt",
            lambda: _is_ok(monitor_port, "/readyz"),
            env=node_environment({**ours, **settings}),
        )


class Prometheus(Program):
    """A Prometheus that asks all workers and LiveKit nodes every 5 s. UserError where PATH has none."""

    def __init__(self, folder: Path, port: int, workers: Sequence[Worker], nodes: Sequence[LiveKitNode]) -> None:
        self.url = f"http://{HOST}:{port}"
        ours = folder / "prometheus"
        ours.mkdir(parents=True, exist_ok=True)
        config = prometheus_config([worker.monitor for worker in workers], [node.metrics for node in nodes])
        (ours / "prometheus.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        command = [
            _program("prometheus", "prometheus"),
            f"--config.file={ours / 'prometheus.yml'}",
            f"--storage.tsdb.path={ours / 'data'}",
            f"--web.listen-address={HOST}:{port}",
        ]
        super().__init__("prometheus", command, ours / "prometheus.log", lambda: _is_ok(port, "/-/ready"))


# ---------------------------------------------------------------- files and environments


def livekit_config(port: int, udp_port: int, metrics_port: int, redis: str) -> dict[str, object]:
    """The configuration of a LiveKit node that shares its rooms with the others at that Redis, all on loopback."""
    return {
        "port": port,
        "bind_addresses": [HOST],
        "prometheus": {"port": metrics_port},
        "logging": {"level": "info", "json": True},
        "redis": {"address": redis},
        "rtc": {
            "tcp_port": 0,  # off: it would be open to every network
            "udp_port": udp_port,
            "enable_loopback_candidate": True,
            "ips": {"includes": [f"{HOST}/32"]},
            "use_external_ip": False,
        },
    }


def prometheus_config(workers: Sequence[str], nodes: Sequence[str]) -> dict[str, object]:
    """The configuration of a Prometheus that asks those addresses."""
    jobs = [("voice-node", workers), ("livekit", nodes)]
    return {
        "global": {"scrape_interval": "5s"},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": list(targets)}]} for name, targets in jobs
        ],
    }


def node_environment(settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with `settings` as the only settings of the node, and the project on the path."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": path, **{name.upper(): str(value) for name, value in settings.items()}}


def free_ports(count: int) -> list[int]:
    """So many different ports of 127.0.0.1 on which neither TCP nor UDP is in use now."""
    with contextlib.ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            tcp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            tcp.bind((HOST, 0))
            with contextlib.suppress(OSError):  # another program has the UDP port of that number
                udp.bind(tcp.getsockname())
                found.append(int(tcp.getsockname()[1]))
        return found


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UserError(f"There is no {name} on PATH. On Debian and Ubuntu: apt-get install {package}")
    return found


# ---------------------------------------------------------------- short questions


async def _is_ok(port: int, path: str) -> bool:
    """Whether an HTTP server on that port of loopback answers 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
    lines = await _exchange(port, request.encode(), 1)
    return bool(lines) and lines[0].split(" ")[1:2] == ["200"]


async def _exchange(port: int, request: bytes, lines: int) -> list[str]:
    """The first lines of the answer to a request; fewer where there are no more within ANSWER_S."""
    found: list[str] = []
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, port), ANSWER_S)
        try:
            writer.write(request)
            while len(found) < lines and (line := await asyncio.wait_for(reader.readline(), ANSWER_S)):
                found.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                if line.startswith((b"+", b":", b"-", b"$-1")):  # all of a short answer of Redis
                    break
        finally:
            writer.close()
    return found
