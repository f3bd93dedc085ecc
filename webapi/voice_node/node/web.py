"""Serves the client page: static files and, on loopback, a token to join with.

Import this module only where the page is wanted: without aiohttp (the `web` extra) the import raises UserError.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from loguru import logger

from webapi.voice_node.errors import UserError
from webapi.voice_node.errors.advice import install

try:  # before the other imports: livekit-api needs aiohttp too, and its error would not help users
    from aiohttp import web
except ImportError as missing:
    raise UserError(f"The client page is served with aiohttp, which is not installed: {install('web')}") from missing

from webapi.voice_node.config import Settings
from webapi.voice_node.errors.loopback import is_loopback_host
from webapi.voice_node.node.listening import Place, listen
from webapi.voice_node.room.tokens import mint

STATIC = Path(__file__).resolve().parents[2] / "static"
TOKEN_TTL = timedelta(minutes=10)  # long enough to click Join; a joined client gets fresh ones from LiveKit
TAKEN = "If it is another node, give this one another LK_ROOM too."
PAGE = Place("The client page", "WEB_HOST", "WEB_PORT", 8080, TAKEN)
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")

# Scripts come from this server and, where livekit-client is not installed, from its CDN. The user types the address of
# the LiveKit server, so the page may connect to any host; `http:` is for LiveKit's check of a refused token.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' https://cdn.jsdelivr.net",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob: mediastream:",
        "connect-src 'self' ws: wss: http: https:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer:
    """The web server on WEB_HOST:WEB_PORT. `static` is the folder of the page."""

    def __init__(self, settings: Settings, *, static: Path = STATIC) -> None:
        self._settings = settings
        self._static = static
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Start to serve, and return the page's URL. UserError where the address is taken or not allowed."""
        if not (self._static / "client.html").is_file():
            raise UserError(f"The client page is missing: {self._static / 'client.html'}. Install voice-node again.")
        app = web.Application(middlewares=[_secure])
        app.router.add_get("/", self._page)
        app.router.add_get("/api/config", self._config)
        app.router.add_static("/", self._static)  # aiohttp refuses traversal, links out of it, and listings
        self._runner, url = await listen(app, PAGE, self._settings.web_host, self._settings.web_port)
        logger.bind(event="page", url=url).info(f"client page on {url}")
        return url

    async def stop(self) -> None:
        """Close the port and its open connections. Does nothing where the server does not run."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self._static / "client.html")

    async def _config(self, request: web.Request) -> web.StreamResponse:
        """URL, room and the bot's identity as JSON; for a browser on this machine also a token, with a new identity."""
        settings = self._settings
        identity = token = None
        if may_have_token(settings.web_host, request):
            identity = f"caller-{secrets.token_hex(4)}"
            token = mint(settings, identity, settings.lk_room, ttl=TOKEN_TTL)
        return web.json_response(
            {
                "url": settings.livekit_url,
                "room": settings.lk_room,
                "bot": settings.lk_bot_identity,
                "token": token,
                "identity": identity,
            }
        )


def may_have_token(web_host: str, request: web.Request) -> bool:
    """Whether WEB_HOST, the peer's address and the Host header are all this machine's loopback.

    The Host header excludes DNS rebinding (another name that resolves to 127.0.0.1), Sec-Fetch-Site excludes pages of
    other sites in the same browser, and the proxy headers exclude clients of a reverse proxy on this machine.
    """
    return (
        is_loopback_host(web_host)
        and _is_loopback_address(request.remote)
        and _is_loopback_name(request.headers.get("Host"))
        and request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
        and not any(header in request.headers for header in PROXY_HEADERS)
    )


def _is_loopback_address(address: str | None) -> bool:
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)  # before Python 3.13, ::ffff:127.0.0.1 does not count as loopback
    return ip.is_loopback or (mapped is not None and mapped.is_loopback)


def _is_loopback_name(host_header: str | None) -> bool:
    try:
        return is_loopback_host(urlsplit(f"//{host_header or ''}").hostname or "")
    except ValueError:  # not a host
        return False


@web.middleware
async def _secure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the security headers to every response, also to errors. No cache may keep responses of /api."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_headers_for(request))
        raise
    response.headers.update(_headers_for(request))
    return response


def _headers_for(request: web.Request) -> dict[str, str]:
    fresh = "no-store" if request.path.startswith("/api/") else "no-cache"  # no-cache: validated at each use
    return {**HEADERS, "Cache-Control": fresh}
