"""Starts a cluster in a folder, and ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.cluster.program import Program
from deploy.cluster.programs import LiveKitNode, Prometheus, Redis, Worker, free_ports
from webapi.voice_node.config import DEV_KEY, DEV_SECRET
from webapi.voice_node.dev_server.binary import build_server, find_server
from webapi.voice_node.dev_server.server import avoid_proxy
from webapi.voice_node.errors import PrintLine, UserError


@dataclass
class Running:
    """The programs of a running cluster, each of which may be signalled, killed and started again."""

    folder: Path
    redis: Redis
    keys: tuple[str, str]  # the key of LiveKit and its secret
    settings: Mapping[str, object]  # of every worker
    nodes: list[LiveKitNode] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    prometheus: Prometheus | None = None

    @property
    def programs(self) -> list[Program]:
        """All of them, in the order of their start."""
        return [self.redis, *self.nodes, *self.workers, *([self.prometheus] if self.prometheus else [])]

    async def node_of(self, room: str) -> LiveKitNode | None:
        """The LiveKit node that has the room and its media; None where none has, or it is none of these."""
        wanted = await self.redis.ask("HGET", "room_node_map", room)
        return next((node for node in self.nodes if wanted and node.id == wanted), None)

    async def start_worker(self, node: LiveKitNode | None = None, **settings: object) -> Worker:
        """One more worker, ready: at `node`, else at the one whose turn it is. `settings` go before the cluster's."""
        key, secret = self.keys
        number = len(self.workers)
        given = {"LIVEKIT_API_KEY": key, "LIVEKIT_API_SECRET": secret, **self.settings, **settings}
        node = node or self.nodes[number % len(self.nodes)]
        worker = Worker(number + 1, self.folder, node, free_ports(1)[0], given)
        self.workers.append(worker)
        await _start([worker])
        return worker


@asynccontextmanager
async def cluster(
    folder: Path,
    *,
    nodes: int = 2,
    workers: int = 3,
    prometheus: bool = False,
    keys: tuple[str, str] = (DEV_KEY, DEV_SECRET),
    settings: Mapping[str, object] | None = None,
    say: PrintLine = lambda _: None,
) -> AsyncIterator[Running]:
    """A cluster of so many LiveKit nodes and workers, all ready, while the block runs. Everything is in `folder`.

    The workers take turns at the nodes, and have `settings` (by name). `say` gets a line at each step. Raises UserError
    where a program is missing or does not start; whatever was started has ended then.
    """
    binary = find_server() or await build_server(say)
    redis_port, *ports = free_ports(1 + 3 * nodes)
    redis = Redis(folder, redis_port)
    running = Running(folder, redis, keys, dict(settings or {}))
    try:
        await _start([redis])
        say(f"Redis: {redis.address}")
        for number in range(nodes):
            its_ports = ports[3 * number : 3 * number + 3]
            running.nodes.append(LiveKitNode(number + 1, folder, binary, redis, its_ports, keys))
        await _start(running.nodes)
        for node in running.nodes:
            avoid_proxy(node.url)
            say(f"LiveKit node: {node.url}, process {node.pid}")
        await asyncio.gather(*(running.start_worker() for _ in range(workers)))
        for worker in running.workers:
            say(f"{worker.name} at {worker.node.url}: http://{worker.monitor}/metrics, process {worker.pid}")
        if prometheus:
            running.prometheus = Prometheus(folder, free_ports(1)[0], running.workers, running.nodes)
            await _start([running.prometheus])
            say(f"Prometheus: {running.prometheus.url}")
        yield running
    finally:
        await _end(running)


async def _start(programs: Sequence[Program]) -> None:
    """Start them and wait until all are ready. UserError with the first that is not."""
    for program in programs:
        try:
            program.start()
        except OSError as error:
            raise UserError(f"{program.name} can't be started: {error}") from None
    await asyncio.gather(*(program.ready() for program in programs))


async def _end(running: Running) -> None:
    """End everything, also when it is cancelled: the workers first, so that they can still leave their rooms."""

    async def ending() -> None:
        for group in ([*running.workers, running.prometheus], running.nodes, [running.redis]):
            await asyncio.gather(*(program.stop() for program in group if program))

    await asyncio.shield(asyncio.ensure_future(ending()))
