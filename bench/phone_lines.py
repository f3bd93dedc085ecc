"""Redis, LiveKit and livekit-sip on loopback, with a trunk in each direction: what phone calls need."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from livekit import api
from livekit.protocol import sip

from webapi.voice_node.config import DEV_KEY, DEV_SECRET
from webapi.voice_node.dev_server.binary import find_server
from webapi.voice_node.dev_server.process import ServerProcess, free_port
from webapi.voice_node.errors import UserError

HOST = "127.0.0.1"
TRUNK_NUMBER = "+4930999"  # the number of the bot
READY_S = 20.0


@dataclass(frozen=True)
class PhoneLines:
    """The running programs, and what a call needs to know of them."""

    url: str  # of LiveKit
    sip_port: int
    log: Path  # of livekit-sip

    def api(self) -> api.LiveKitAPI:
        """The server's administration API; SIP needs its own grants, which the dev key has."""
        return api.LiveKitAPI(self.url.replace("ws://", "http://"), DEV_KEY, DEV_SECRET)


def programs() -> dict[str, str]:
    """The paths of the programs. Raises UserError, which names those that are missing."""
    server = find_server()
    found = {
        "redis-server": shutil.which("redis-server"),
        "livekit-server": str(server) if server else None,
        "livekit-sip": shutil.which("livekit-sip"),
    }
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise UserError(
            f"Not on PATH: {', '.join(missing)}. This bench needs {', '.join(found)}: Redis by the system's packages, "
            "livekit-server by `python -m webapi.voice_node.dev_server --get`, and livekit-sip from "
            "https://github.com/livekit/sip."
        )
    return {name: path for name, path in found.items() if path is not None}


@asynccontextmanager
async def phone_lines(folder: Path, room: str) -> AsyncIterator[PhoneLines]:
    """Runs the programs while the block runs. Calls of TRUNK_NUMBER come into `room`.

    Raises UserError where one is missing, or does not start.
    """
    found = programs()
    redis, port, sip_port = free_port("tcp", 0), free_port("tcp", 0), free_port("udp", 0)
    lines = PhoneLines(f"ws://{HOST}:{port}", sip_port, folder / "livekit-sip.log")
    key = {"LIVEKIT_API_KEY": DEV_KEY, "LIVEKIT_API_SECRET": DEV_SECRET, "LIVEKIT_WS_URL": lines.url}
    of_server = {
        "port": port,
        "redis": {"address": f"{HOST}:{redis}"},
        "logging": {"level": "info"},
        "rtc": {
            "tcp_port": 0,
            "udp_port": free_port("udp", 0),
            "enable_loopback_candidate": True,
            "ips": {"includes": [f"{HOST}/32"]},
            "use_external_ip": False,
        },
    }
    of_sip = {
        "redis": {"address": f"{HOST}:{redis}"},
        "sip_port": sip_port,
        "rtp_port": "30000-30400",
        "listen_ip": HOST,
        "nat_1_to_1_ip": HOST,
        "max_cpu_utilization": 1,  # else it refuses calls on a busy machine
        "logging": {"level": "debug"},
    }
    options = ["--bind", HOST, "--port", str(redis), "--save", "", "--dir", str(folder)]
    running = [
        ServerProcess([found["redis-server"], *options], HOST, redis, folder / "redis.log"),
        ServerProcess(
            [
                found["livekit-server"],
                "--dev",
                "--bind",
                HOST,
                "--node-ip",
                HOST,
                "--config-body",
                json.dumps(of_server),
            ],
            *(HOST, port, folder / "livekit-server.log"),
            {"LIVEKIT_KEYS": json.dumps({DEV_KEY: DEV_SECRET})},
        ),
        ServerProcess([found["livekit-sip"], "--config-body", json.dumps(of_sip)], HOST, sip_port, lines.log, key),
    ]
    try:
        for each in running:
            each.start()
            await _listens(each)
        async with lines.api() as server:
            await _route(server, room)
        yield lines
    finally:
        for each in reversed(running):
            await each.stop()


async def _listens(process: ServerProcess) -> None:
    """Wait until something accepts connections on its port. Raises UserError with its last words where nothing does."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + READY_S
    while process.runs and loop.time() < until_s:
        try:
            _, writer = await asyncio.open_connection(process.host, process.port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise UserError(process.last_words())


async def _route(server: api.LiveKitAPI, room: str) -> None:
    """Calls of TRUNK_NUMBER come into the room."""
    trunk = sip.SIPInboundTrunkInfo(name="bench", numbers=[TRUNK_NUMBER])
    made = await server.sip.create_inbound_trunk(sip.CreateSIPInboundTrunkRequest(trunk=trunk))
    rule = sip.SIPDispatchRule(dispatch_rule_direct=sip.SIPDispatchRuleDirect(room_name=room))
    request = sip.CreateSIPDispatchRuleRequest(rule=rule, trunk_ids=[made.sip_trunk_id], name="bench")
    await server.sip.create_dispatch_rule(request)


async def call_out(server: api.LiveKitAPI, room: str, number: str, port: int) -> None:
    """LiveKit dials a number, whose phone is at this port; it is put into the room while it rings."""
    trunk = sip.SIPOutboundTrunkInfo(name="out", address=f"{HOST}:{port}", numbers=[TRUNK_NUMBER])
    trunk.transport = sip.SIPTransport.SIP_TRANSPORT_UDP
    made = await server.sip.create_outbound_trunk(sip.CreateSIPOutboundTrunkRequest(trunk=trunk))
    request = sip.CreateSIPParticipantRequest(
        sip_trunk_id=made.sip_trunk_id, sip_call_to=number, room_name=room, participant_identity="callee"
    )
    await server.sip.create_sip_participant(request)
