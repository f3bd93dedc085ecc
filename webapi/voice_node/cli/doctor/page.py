"""Checks of the client page: its port, and the library that it loads."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from webapi.voice_node.cli.doctor.result import CheckResult
from webapi.voice_node.config import Settings
from webapi.voice_node.errors.advice import IN_CLONE

LIBRARY = Path(__file__).resolve().parents[3] / "static" / "vendor" / "livekit-client.umd.js"
CDN = "https://cdn.jsdelivr.net/npm/livekit-client@2.23.0/dist/livekit-client.umd.js"  # as in static/js/sdk.js


def check_web_port(settings: Settings) -> CheckResult:
    """The page's address is free."""
    host, port = settings.web_host.strip("[]"), settings.web_port
    where = f"WEB_HOST={host}, WEB_PORT={port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":  # on Windows this option would share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        advice = (
            "End what has that port (another node?), or choose another: WEB_PORT=0 takes any free one. "
            "A second node needs another LK_ROOM too."
        )
        return CheckResult("page", "fail", f"{where}: {error.strerror or error}", advice)
    return CheckResult("page", "ok", f"{where} is free")


def check_client_library(_: Settings) -> CheckResult:
    """livekit-client is beside the page."""
    if LIBRARY.is_file():
        return CheckResult("client library", "ok", str(LIBRARY))
    how = "python scripts/get_client_library.py brings it here" if IN_CLONE else f"to have it here, save {CDN} there"
    advice = f"The page loads it from a CDN, which needs the internet; {how}."
    return CheckResult("client library", "warn", f"there is no {LIBRARY}", advice)
