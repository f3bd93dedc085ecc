"""What a process for calls is prepared with, before there is a call."""

from __future__ import annotations

import asyncio
import logging
import os
from types import SimpleNamespace
from typing import Any

import pytest

from webapi.voice_node.config import pinned_settings
from webapi.voice_node.node.worker.choices import Choices
from webapi.voice_node.node.worker.job_process import prepare
from webapi.voice_node.node.worker.jobs import CHOICES, ENDING


def test_it_has_what_a_call_needs_and_no_secret_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "of the worker")  # the process inherits what livekit-agents has set
    monkeypatch.setenv("LIVEKIT_API_KEY", "of the user")
    handlers = logging.getLogger().handlers[:]
    process: Any = SimpleNamespace(userdata={})
    prepare(pinned_settings(log_file=None, metrics_file=None), ["LIVEKIT_API_SECRET"], process)
    try:
        assert isinstance(process.userdata[CHOICES], Choices)
        assert "LIVEKIT_API_SECRET" not in os.environ
        assert os.environ["LIVEKIT_API_KEY"] == "of the user"
    finally:
        asyncio.run(process.userdata[ENDING].aclose())
        logging.getLogger().handlers[:] = handlers
