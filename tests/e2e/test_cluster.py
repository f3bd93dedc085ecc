"""Two LiveKit nodes that share their rooms by Redis, as deploy.cluster starts them."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from deploy.cluster.programs import LiveKitNode, Worker
from deploy.cluster.running import cluster
from tests.e2e.caller import RATE_HZ, WAIT_S, Caller
from tests.e2e.process import json_lines
from tests.e2e.rooms import run
from tests.e2e.workers import answered, dispatched, listened_to
from webapi.voice_node.config import load_settings
from webapi.voice_node.dev_server.binary import find_server
from webapi.voice_node.room.tokens import mint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a cluster needs Linux")
ROOT = Path(__file__).parents[2]
TONE = (8000 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE_HZ) / RATE_HZ)).astype("<i2").tobytes()


def caller(node: LiveKitNode, room: str, identity: str, *, hears: str) -> Caller:
    """A caller who joins at that node."""
    settings = load_settings(None, livekit_url=node.url)
    return Caller(node.url, mint(settings, identity, room, bot=False), bot=hears)


def test_callers_at_two_nodes_are_in_one_room(tmp_path: Path, room: str) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path, workers=0) as running:
            one, other = running.nodes
            at_one, at_other = caller(one, room, "alice", hears="bob"), caller(other, room, "bob", hears="alice")
            async with at_one as alice, at_other as bob:
                assert await running.node_of(room) in (one, other)
                await alice.say(TONE, wait=False)
                await bob.wait_for_sound()
                alice.stop_talking()
                await bob.say(TONE, wait=False)
                await alice.wait_for_sound()
            programs = running.programs
        assert not any(program.running for program in programs)

    run(scenario())


def test_a_room_outlives_a_restart_of_redis(tmp_path: Path, room: str) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path, workers=0) as running:
            one, other = running.nodes
            async with caller(one, room, "alice", hears="bob"):
                home = await running.node_of(room)
                assert home in (one, other)
                running.redis.kill()
                assert await running.redis.ask("PING") is None
                running.redis.start()
                await running.redis.ready()
                assert await running.node_of(room) is home
                async with caller(other, room, "bob", hears="alice") as bob:
                    await bob.wait_for(lambda: "alice" in bob.room.remote_participants, "alice in the room of bob")

    run(scenario())


async def targets_up(url: str, count: int) -> dict[str, str]:
    """The jobs of the targets that Prometheus could ask, by address, once there are so many."""
    query = f"{url}/api/v1/query?query={quote('up == 1')}"
    until_s = time.monotonic() + WAIT_S
    while True:
        answer = await asyncio.to_thread(lambda: urllib.request.urlopen(query, timeout=5).read())  # noqa: S310 - http
        found = {r["metric"]["instance"]: r["metric"]["job"] for r in json.loads(answer)["data"]["result"]}
        if len(found) >= count:
            return found
        assert time.monotonic() < until_s, found
        await asyncio.sleep(0.2)


def test_prometheus_asks_the_nodes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with cluster(tmp_path, workers=0, prometheus=True) as running:
            assert running.prometheus is not None
            found = await targets_up(running.prometheus.url, 2)
            assert found == {node.metrics: "livekit" for node in running.nodes}

    run(scenario())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_everything_with_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.cluster", "--workers", "0", "--folder", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("Everything runs."):
                process.send_signal(number)
        assert process.wait(WAIT_S) == 0
    assert said[-1] == "Everything has ended.\n"
    pids = re.findall(r"process (\d+)", "".join(said))
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize("name", ["livekit-1.yaml", "livekit-2.yaml"])
def test_livekit_takes_the_configurations_of_the_compose_file(name: str, tmp_path: Path) -> None:
    binary = find_server()
    assert binary is not None
    config = ROOT / "deploy" / "compose" / name

    def ports(path: Path) -> str:
        """The ports that a node of that configuration would use, or why there is none."""
        ran = subprocess.run([binary, "--config", path, "ports"], capture_output=True, text=True, check=True)
        return ran.stdout + ran.stderr

    found = ports(config)
    assert "ICE/UDP" in found
    assert re.findall(r"^(\d+) - ", found, re.MULTILINE) == re.findall(
        r"^ *(?:tcp_)?port: (7\d+)", config.read_text(), re.M
    )
    wrong = tmp_path / name
    wrong.write_text(config.read_text().replace("udp_port", "udp_prt"))
    assert "field udp_prt not found" in ports(wrong)


def test_an_upgrade_loses_no_call(tmp_path: Path, room: str) -> None:
    """A new worker comes, the old one drains: its call is served to its end, and new calls go to the others."""
    settings = {"LK_AGENT_NAME": room, "VAD_BACKEND": "webrtc", "MOCK_THINK_MS": 20, "ECHO_CANCEL": "never"}

    def has(worker: Worker, name: str) -> bool:
        """Whether it has taken the call in that room."""
        lines = json_lines(worker.log_file)
        return any((line.get("event"), line.get("room")) == ("call_taken", name) for line in lines)

    async def scenario() -> None:
        async with cluster(tmp_path, workers=1, settings=settings) as running:
            (old,) = running.workers
            url = running.nodes[1].url  # its workers' node is another one
            async with dispatched(url, f"{room}-1", room) as alice:
                await listened_to(alice)
                assert has(old, f"{room}-1")
                new = await running.start_worker()
                old.terminate()
                await alice.wait_for(lambda: "draining" in old.output, "the drain of the old worker")
                assert not await old.answers()
                async with dispatched(url, f"{room}-2", room) as bob:
                    await listened_to(bob)
                    assert has(new, f"{room}-2")
                assert (await answered(alice))["outcome"] == "completed"
                assert old.running
            assert await old.ended(WAIT_S) == 0
            assert not has(new, f"{room}-1")

    run(scenario())
