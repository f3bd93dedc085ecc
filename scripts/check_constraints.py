"""Prove that constraints.txt holds everything, and resolves from wheels for the oldest and the newest Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.13")


def main() -> int:
    """0, or 1 with what is wrong."""
    pinned = {line.split(" ")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    wrong = 0
    for python in PYTHONS:
        resolved = subprocess.run(  # noqa: S603 - our own words
            [
                *(sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--all-extras", "--quiet"),
                *("--python-version", python, "--only-binary", ":all:", "-c", "constraints.txt"),
                *("--no-annotate", "--no-header"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if resolved.returncode:
            sys.stderr.write(f"Python {python}: constraints.txt does not resolve from wheels:\n{resolved.stderr}")
            wrong = 1
            continue
        names = {line.split(" ")[0] for line in resolved.stdout.splitlines() if "==" in line}
        loose = sorted(names - pinned)
        if loose:
            sys.stderr.write(f"Python {python}: not pinned: {', '.join(loose)}. `make constraints` pins them.\n")
            wrong = 1
        else:
            sys.stdout.write(f"Python {python}: {len(names)} packages, all pinned, all wheels\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
