"""A machine without Go, Docker and LiveKit server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH but for the shell's own commands, and an empty cache."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "sleep", "chmod", "mkdir"):
        found = next(folder for folder in os.environ["PATH"].split(os.pathsep) if (Path(folder) / name).exists())
        (programs / name).symlink_to(Path(found) / name)
    monkeypatch.setenv("PATH", str(programs))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return programs
