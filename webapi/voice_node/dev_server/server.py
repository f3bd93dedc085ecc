"""Gets a LiveKit server where there is none: on loopback, started with the node and ended with it.

    async with dev_server(settings.livekit_url, key, secret, enabled=True, say=print) as started:
        ...  # a server answers at the URL; `started` is True where it was started here

A server that ends by itself is started again, three times within a minute.

Where LIVEKIT_URL is on loopback and nothing listens there, the server is the first that works of: a `livekit-server` on
PATH or in the user's cache; Docker, with docker-compose.livekit.yml; a build with Go into the cache, which takes about
three minutes, once. Its log is in the cache too. `python -m webapi.voice_node.dev_server --get` only finds or builds
the program, and prints its path.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from webapi.voice_node.config import DEV_KEY, DEV_SECRET
from webapi.voice_node.dev_server.binary import build_server, find_server
from webapi.voice_node.dev_server.docker import compose_file, docker_answers, docker_server
from webapi.voice_node.dev_server.process import ServerProcess, livekit
from webapi.voice_node.dev_server.restarter import keep_running
from webapi.voice_node.errors import PrintLine, UserError
from webapi.voice_node.errors.loopback import is_loopback
from webapi.voice_node.files.user_cache import cache_dir

PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}
PROXIES = ("HTTP_PROXY", "http_proxy")
KNOCK_S = 5.0
LOGS_KEPT = 8  # each port has a log of its own


@asynccontextmanager
async def dev_server(
    url: str,
    key: str = DEV_KEY,
    secret: str = DEV_SECRET,
    *,
    enabled: bool = True,
    say: PrintLine = print,
    on_gone: Callable[[UserError], object] = lambda _: None,
) -> AsyncIterator[bool]:
    """A LiveKit server at `url` while the block runs. Yields True where it was started here.

    None is started for a URL that is not on loopback or where something listens, or with `enabled=False`. `say` gets a
    line at each step. `on_gone` is called, once, where the server ends again and again and is not started any more.
    Raises UserError, with every way that was tried, where no server can be started.
    """
    for name in avoid_proxy(url):
        say(f"{name} is left aside: LiveKit's SDK would look for {url} through that proxy.")
    if not enabled or not is_loopback(url) or await listens(url):
        yield False
        return
    server = await _get(url, key, secret, say)
    server.start()
    try:
        await server.answers()
        say(f"Started a local LiveKit server at {url}; its log is {server.log}.")
        restarting = asyncio.create_task(_keep_running(server, on_gone), name="dev-server")
        try:
            yield True
        finally:
            restarting.cancel()
            await asyncio.wait([restarting])
    finally:
        await server.stop()


async def _keep_running(server: ServerProcess, on_gone: Callable[[UserError], object]) -> None:
    try:
        await keep_running(server)
    except UserError as error:
        on_gone(error)


def avoid_proxy(url: str) -> list[str]:
    """For a URL on loopback, remove HTTP_PROXY from this process's environment. Returns the names that were removed.

    LiveKit's SDK uses that proxy for every ws:// URL and ignores NO_PROXY, and a proxy's loopback is another machine's.
    It reads the variable whenever it connects, also by itself, so the variable stays removed. HTTPS_PROXY stays set.
    """
    return [name for name in PROXIES if os.environ.pop(name, "")] if is_loopback(url) else []


def can_start(url: str) -> bool:
    """Whether a server for that URL could be started here: on loopback, and without TLS."""
    return is_loopback(url) and urlsplit(url).scheme in ("ws", "http")


async def listens(url: str, within_s: float = KNOCK_S) -> bool:
    """Whether something accepts a connection at the URL's host and port, within that time."""
    try:
        await check_reachable(url, within_s)
    except UserError:
        return False
    return True


async def check_reachable(url: str, timeout: float) -> None:
    """Connect to the URL's host and port, and close the connection. UserError after `timeout` seconds or a refusal.

    No token is sent. Whether it is a LiveKit server, only joining shows.
    """
    host, port = _address(url)
    where = f"LIVEKIT_URL={url}: "
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout)
    except asyncio.TimeoutError:
        raise UserError(
            f"{where}{host}, port {port}, gave no answer within {timeout:g} s.\n"
            "Check host and port, your network, and any firewall between."
        ) from None
    except OSError as error:
        reason = "nothing listens" if isinstance(error, ConnectionRefusedError) else error.strerror or str(error)
        raise UserError(
            f"{where}no connection to {host}, port {port}: {reason}.\n"
            "Check host and port, and whether the LiveKit server runs there."
        ) from None
    writer.close()


async def _get(url: str, key: str, secret: str, say: PrintLine) -> ServerProcess:
    """The server for `url`, not started yet, by the first way that works. UserError with every way that was tried."""
    if not can_start(url):
        raise UserError(
            f"LIVEKIT_URL={url}: nothing listens there, and the local LiveKit server that the node could start speaks"
            " no TLS.\nSet LIVEKIT_URL=ws://localhost:7880, or start your own server there."
        )
    host, port = _address(url)
    host = "127.0.0.1" if host == "localhost" else host
    log = cache_dir() / f"livekit-server-{port}.log"
    forget_logs(log)
    binary = find_server()
    if binary is not None:
        return livekit(binary, host, port, key, secret, log)
    say(f"Nothing listens at {url}, and there is no livekit-server on PATH or in {cache_dir()}: getting one.")
    tried = [f"no livekit-server on PATH or in {cache_dir()}"]
    compose = compose_file()
    if compose is None or not await docker_answers():
        tried.append("no Docker engine that answers")
    else:
        try:
            return await docker_server(compose, host, port, key, secret, log, say)
        except UserError as error:
            say(str(error))
            tried.append(str(error))
    try:
        return livekit(await build_server(say), host, port, key, secret, log)
    except UserError as error:
        tried.append(str(error))
    raise UserError(
        f"LIVEKIT_URL={url}: nothing listens there, and no local LiveKit server could be had:\n"
        + "\n".join(f"- {line}" for line in tried)
        + "\nPut a livekit-server on PATH, start Docker, or mend what the last one says; or set LIVEKIT_URL and its"
        " key to a server that you have."
    )


def forget_logs(log: Path, keep: int = LOGS_KEPT) -> None:
    """Remove all logs of servers except `log`, which is to be written, and the newest `keep` - 1 others."""
    with contextlib.suppress(OSError):  # a folder that can't be written is reported when the server starts
        others = [other for other in log.parent.glob("livekit-server-*.log") if other != log]
        others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
        for old in others[keep - 1 :]:
            old.unlink()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or PORTS[parts.scheme]
