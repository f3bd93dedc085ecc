"""Sessions with the stage end_of_turn: their graph, what the caller says, and backends that answer as a test says."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from webapi.voice_node.clock.off_loop import Compute
from webapi.voice_node.end_of_turn import Backend
from webapi.voice_node.files.json_line import json_line
from webapi.voice_node.plugins import Plugins
from webapi.voice_node.replay.call_replay import replay_call

MODULE = importlib.import_module("webapi.voice_node.end_of_turn")
HERE = "tests.reply.talkative"
GRAPH = """\
version: 1
streams:
  frames:
    from: caller
    through: [resample: {rate: 8000}, window: {ms: 20}]
  turns:
    from: frames
    through:
      - vad: {backend: webrtc}
      - end_of_turn: {backend: BACKEND}
      - turn_events: {hold_ms: 600, longest_hold_ms: 1600}
  voice:
    from: turns
    through: [reply: {orchestrator: "${ORCHESTRATOR}"}, resample: {rate: 48000}]
outputs: {speaker: voice, events: turns}
"""
ONCE = [("quiet", 0.5), ("speech", 0.6), ("quiet", 3.0)]
PAUSES = [("quiet", 0.5), *[("speech", 0.6), ("quiet", 0.5)] * 3, ("quiet", 3.0), ("speech", 0.6), ("quiet", 4.0)]


def graph(backend: str) -> str:
    return GRAPH.replace("BACKEND", backend)


def plug_in(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> None:
    """Put a backend named `test` beside those of the project."""
    table = Plugins("end of turn", "none", {**MODULE.BUILT_IN, "test": backend})
    monkeypatch.setattr(MODULE, "BACKENDS", table)


def says(answer: float) -> Backend:
    return lambda _: answer


def late(ms: int) -> Compute:
    """A thread that takes so long, in virtual time."""

    def compute(job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        asyncio.get_running_loop().call_later(ms / 1000, lambda: done(job()))

    return compute


def replayed(folder: Path) -> str:
    return "".join(map(json_line, replay_call(folder).events))
