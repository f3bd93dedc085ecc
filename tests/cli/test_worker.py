"""The command `worker` before it serves: what it says where it can't begin."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from livekit.agents import AgentServer

from tests.e2e.process import run_node
from webapi.voice_node.cli import worker as command
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.node.worker.agent_server import _hide_environment, make_server


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "can_import", lambda _: False)
    with pytest.raises(UserError, match=r"needs the package livekit-agents.*pip install 'livekit-agents>=1\.8,<2'"):
        command.worker()


def test_a_server_that_does_not_answer_is_told_at_once(tmp_path: Path) -> None:
    ended = run_node("worker", "--url", "ws://127.0.0.1:9", "--no-dev-server", cwd=tmp_path, VAD_BACKEND="webrtc")
    assert ended.code == 2
    assert "ws://127.0.0.1:9: nothing listens there" in ended.said
    assert "Traceback" not in ended.said


def test_the_secret_that_livekit_agents_puts_into_the_environment_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "ws://of-the-user")
    monkeypatch.delenv("LIVEKIT_API_SECRET", raising=False)
    server: AgentServer = make_server(pinned_settings())
    _hide_environment(server)
    monkeypatch.setenv("LIVEKIT_API_SECRET", "put there by the server")
    server.emit("worker_started")
    assert "LIVEKIT_API_SECRET" not in os.environ
    assert os.environ["LIVEKIT_URL"] == "ws://of-the-user"
