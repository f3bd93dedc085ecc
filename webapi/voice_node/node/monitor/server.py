"""Serves /metrics, /healthz and /readyz on MONITOR_HOST:MONITOR_PORT. None of them tells a secret or an identity.

Import this module only where it is wanted: without the extra `monitor` the import raises UserError.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from loguru import logger

from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.advice import install

try:  # before the other imports: livekit-api needs aiohttp too, and its error would not help users
    from aiohttp import web
except ImportError as missing:
    raise UserError(f"/metrics is served with aiohttp, which is not installed: {install('monitor')}") from missing

from webapi.voice_node.config import Settings
from webapi.voice_node.node.listening import Place, listen
from webapi.voice_node.node.monitor.monitor import Monitor
from webapi.voice_node.node.monitor.readiness import reason

METRICS = Place("The monitor (/metrics)", "MONITOR_HOST", "MONITOR_PORT", 9090)
TEXT_FORMAT = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class MonitorServer:
    """The web server of a `Monitor`. It runs in the loop of the calls: where that stands still, nobody is answered."""

    def __init__(self, settings: Settings, monitor: Monitor) -> None:
        self._settings = settings
        self._monitor = monitor
        self._runner: web.AppRunner | None = None
        self._since = datetime.now(timezone.utc)
        self._began_s = time.monotonic()

    async def start(self) -> str:
        """Start to serve, and return the URL. UserError where the address is taken or not allowed."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner, url = await listen(app, METRICS, self._settings.monitor_host, self._settings.monitor_port)
        logger.bind(event="monitor", url=url).info(f"metrics on {url}/metrics")
        return url

    async def stop(self) -> None:
        """Close the port and its open connections. Does nothing where the server does not run."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        # In a thread: it takes some milliseconds, and longer with the files of children.
        text = await asyncio.get_running_loop().run_in_executor(None, self._monitor.text)
        return web.Response(body=text, headers={**HEADERS, **TEXT_FORMAT})

    async def _healthz(self, request: web.Request) -> web.Response:
        up_s = round(time.monotonic() - self._began_s, 1)
        return _json({"status": "ok", "since": self._since.isoformat(timespec="seconds"), "up_seconds": up_s})

    async def _readyz(self, request: web.Request) -> web.Response:
        why = self._monitor.why_not_ready
        if why is not None:
            return web.Response(status=503, text=f"{reason(why)}\n", headers=HEADERS)
        calls = await asyncio.get_running_loop().run_in_executor(None, self._monitor.calls)
        most = self._monitor.max_calls
        # A full process is ready: its calls go on, and whoever gives calls asks for its load, and not for this page.
        return _json({"status": "ready", "calls": calls, "max_calls": most, "full": bool(most) and calls >= most})


def _json(content: Mapping[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(content) + "\n", content_type="application/json", headers=HEADERS)
