"""Checks before a run that the files which it writes can be written."""

from __future__ import annotations

import os
from pathlib import Path

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError


def check_writable(settings: Settings) -> None:
    """Raise UserError, with a line for each, where LOG_FILE or METRICS_FILE can't be written. Creates nothing."""
    lines = []
    for variable, path in (("LOG_FILE", settings.log_file), ("METRICS_FILE", settings.metrics_file)):
        problem = None if path is None else _write_problem(path)
        if problem:
            lines.append(f"{variable}={path}: {problem}; allowed: a file's path in a directory that exists, or off")
    log, metrics = settings.log_file, settings.metrics_file
    if log and metrics and log.resolve() == metrics.resolve() and not log.is_char_device():  # /dev/null may be both
        lines.append(f"METRICS_FILE={metrics}: LOG_FILE is the same file; allowed: another path, or off")
    if lines:
        raise UserError("\n".join(lines))


def _write_problem(path: Path) -> str | None:
    """Return why the file can't be written; None where it can."""
    if path.is_dir():
        return "it is a directory"
    if path.exists():
        return None if os.access(path, os.W_OK) else "no permission to write it"
    if not path.parent.is_dir():
        return f"there is no directory {path.parent}"
    return None if os.access(path.parent, os.W_OK | os.X_OK) else f"no permission to make a file in {path.parent}"
