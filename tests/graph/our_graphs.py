"""The graphs of the project: those in `graphs/` that git tracks. A user's own stand beside them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def our_graphs() -> dict[str, Path]:
    """Their paths, by name."""
    command = ["git", "ls-files", "-z", "graphs/*.yaml"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {Path(name).stem: ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()}
