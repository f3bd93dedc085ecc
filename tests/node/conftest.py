"""A log of a test's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from webapi.voice_node.config import Settings
from webapi.voice_node.node.log_setup import configure

SECRET = 's3cr3t-"quoted"-é'
Lines: TypeAlias = Callable[[], list[dict[str, Any]]]
Logging: TypeAlias = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def logging_to(tmp_path: Path) -> Logging:
    """`with logging_to(terminal=…, log_level=…):` logs to log.jsonl; leaving it flushes."""

    @contextmanager
    def run(terminal: bool = False, **settings: Any) -> Iterator[None]:
        given = {
            "log_file": tmp_path / "log.jsonl",
            "livekit_api_secret": SECRET,
            "log_level": "INFO",
            **settings,
        }
        close = configure(Settings(**given), terminal=terminal)
        try:
            yield
        finally:
            close()

    return run


@pytest.fixture
def written(tmp_path: Path) -> Lines:
    """The lines that `logging_to` has written."""
    return lambda: [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
