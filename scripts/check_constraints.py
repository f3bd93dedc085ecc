"""Prove that constraints.txt pins everything, and resolves from wheels alone, for the oldest and the newest Python.

uv resolves, because pip's --python-version reads markers for the Python that pip runs under, not for the one named.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.13")
NO_DOWNLOADS = {
    "UV_PYTHON_DOWNLOADS": "never"
}  # nothing is built, so uv needs none of the Pythons that it resolves for
RESOLVE = (sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--all-extras", "--quiet", "--no-annotate")
STRICT = ("--no-header", "--only-binary", ":all:", "-c", "constraints.txt")


def main() -> int:
    """0, or 1 with what is wrong and what to do."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    wrong = [complaint for python in PYTHONS for complaint in check(python, pins)]
    sys.stderr.write("".join(f"{complaint}\n" for complaint in wrong))
    return 1 if wrong else 0


def check(python: str, pins: list[Requirement]) -> list[str]:
    """What is wrong with the pins for that Python, on this system."""
    resolved = subprocess.run(  # noqa: S603 - our own words
        [*RESOLVE, *STRICT, "--python-version", python],
        cwd=ROOT,
        env={**os.environ, **NO_DOWNLOADS},
        capture_output=True,
        text=True,
        check=False,
    )
    if resolved.returncode:
        return [f"Python {python}: constraints.txt does not resolve from wheels:\n{resolved.stderr.strip()}"]
    for_it = {"python_version": python, "python_full_version": f"{python}.0"}
    pinned = {f"{pin.name}{pin.specifier}" for pin in pins if pin.marker is None or pin.marker.evaluate(for_it)}
    needed = {line for line in resolved.stdout.splitlines() if "==" in line}
    if needed == pinned:
        sys.stdout.write(f"Python {python}: {len(needed)} packages, all pinned, all wheels\n")
    return [
        *(f"Python {python}: {line} is not pinned. `make constraints` pins it." for line in sorted(needed - pinned)),
        *(f"Python {python}: {line} is pinned and not needed. Delete it." for line in sorted(pinned - needed)),
    ]


if __name__ == "__main__":
    sys.exit(main())
