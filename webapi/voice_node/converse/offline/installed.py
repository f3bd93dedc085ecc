"""Finds programs and weights that are installed as Python packages, without importing the packages."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path


def installed_file(package: str, ending: str) -> Path | None:
    """The file of an installed package whose name has this ending; None where there is no such package or file."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = next((file for file in files if file.name.endswith(ending)), None)
    return Path(str(found.locate())) if found is not None else None


def is_installed(package: str) -> bool:
    """Whether a package of that name is installed."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
