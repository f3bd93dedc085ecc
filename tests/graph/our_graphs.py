"""The graphs of the project: those in `graphs/` that git tracks. A user's own stand beside them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = ("OPENAI_API_KEY", "DEEPGRAM_API_KEY", "CARTESIA_API_KEY")


def set_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that graphs of the project need."""
    for name in KEYS:
        monkeypatch.setenv(name, f"a-{name.lower()}")


def our_graphs() -> dict[str, Path]:
    """Their paths, by name."""
    command = ["git", "ls-files", "-z", "graphs/*.yaml"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {Path(name).stem: ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()}
