"""Serves a web application on a host and a port, and says why it can't.

Import it behind a check for aiohttp, which is an extra.
"""

from __future__ import annotations

import errno
import socket
from typing import NamedTuple

from aiohttp import web

from webapi.voice_node.errors import UserError


class Place(NamedTuple):
    """A server of the node, for error messages."""

    what: str  # begins a sentence: "The client page"
    host: str  # the name of the setting
    port: str  # the name of the setting
    example: int  # a port that any user may open
    taken: str = ""  # a last sentence of advice where another program has the port


def name_for_people(host: str) -> str:
    """The host in the URL that is printed: one that a browser on this machine can open."""
    if host in ("127.0.0.1", "localhost", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


async def listen(app: web.Application, place: Place, host: str, port: int) -> tuple[web.AppRunner, str]:
    """Serve `app` on host and port (0: any free one). Returns what ends it (`cleanup`), and the URL for people.

    Raises UserError where the address is taken or not allowed.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    host = host.strip("[]")
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise cannot_listen(error, place, host, port) from None
    return runner, f"http://{name_for_people(host)}:{runner.addresses[0][1]}"


def cannot_listen(error: OSError, place: Place, host: str, port: int) -> UserError:
    """The error for users, with what to do about it."""
    where = f"{place.what} can't be served on {place.host}={host}, {place.port}={port}"
    if error.errno == errno.EADDRINUSE:
        return UserError(
            f"{where}: another program has that port. End it, or choose another port: {place.port}={port + 1},"
            f" or {place.port}=0 for any free one. {place.taken}".rstrip()
        )
    if error.errno == errno.EACCES:
        return UserError(
            f"{where}: this user may not open that port. Choose one from 1024 on: {place.port}={place.example}."
        )
    # In Python 3.13, asyncio gives no errno where none of a host's addresses can be bound.
    unbound = error.errno is None and "could not bind" in str(error)
    if error.errno == errno.EADDRNOTAVAIL or unbound or isinstance(error, socket.gaierror):
        return UserError(
            f"{where}: that is no address of this machine. {place.host}=127.0.0.1 serves it to this machine only,"
            f" {place.host}=0.0.0.0 to others too."
        )
    return UserError(f"{where}: {error.strerror or error}.")
