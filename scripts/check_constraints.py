"""Checks that constraints.txt pins every package, and resolves from wheels only, for the oldest and the newest Python.

uv resolves: pip evaluates markers for the Python that it runs under, and not for the one in --python-version.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.13")
NO_DOWNLOADS = {"UV_PYTHON_DOWNLOADS": "never"}  # nothing is built, so uv does not need these Pythons
RESOLVE = (sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--all-extras", "--quiet", "--no-annotate")
STRICT = ("--no-header", "--only-binary", ":all:", "-c", "constraints.txt")


def main() -> int:
    """Print what is wrong and what to do about it. Returns the exit code: 0, or 1 where something is wrong."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    wrong = [line for python in PYTHONS for line in check(python, pins)]
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


def check(python: str, pins: list[Requirement]) -> list[str]:
    """What is wrong with the pins for that version of Python, on this system; a line for each package."""
    resolved = subprocess.run(  # noqa: S603 - the words are fixed
        [*RESOLVE, *STRICT, "--python-version", python],
        cwd=ROOT,
        env={**os.environ, **NO_DOWNLOADS},
        capture_output=True,
        text=True,
        check=False,
    )
    if resolved.returncode:
        return [f"Python {python}: constraints.txt does not resolve from wheels:\n{resolved.stderr.strip()}"]
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    pinned = {f"{pin.name}{pin.specifier}" for pin in pins if pin.marker is None or pin.marker.evaluate(environment)}
    needed = {line for line in resolved.stdout.splitlines() if "==" in line}
    if needed == pinned:
        sys.stdout.write(f"Python {python}: {len(needed)} packages, all pinned, all wheels\n")
    return [
        *(f"Python {python}: {line} is not pinned. `make constraints` pins it." for line in sorted(needed - pinned)),
        *(f"Python {python}: {line} is pinned and not needed. Delete it." for line in sorted(pinned - needed)),
    ]


if __name__ == "__main__":
    sys.exit(main())
