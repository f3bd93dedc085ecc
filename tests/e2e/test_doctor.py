"""What a real LiveKit server says of a key."""

from __future__ import annotations

import pytest

from webapi.voice_node.cli.doctor.livekit_server import check_key, check_server
from webapi.voice_node.config import load_settings
from webapi.voice_node.dev_server.process import free_port


def test_a_running_server_is_well_and_takes_its_own_key(livekit_url: str) -> None:
    settings = load_settings(None, livekit_url=livekit_url)
    assert check_server(settings).state == "ok"
    assert check_key(settings).state == "ok"


def test_a_proxy_is_not_asked_for_a_server_on_loopback(livekit_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port('tcp', 0)}")
    check = check_key(load_settings(None, livekit_url=livekit_url))
    assert "is accepted" in check.found


@pytest.mark.parametrize("wrong", [{"livekit_api_key": "nokey"}, {"livekit_api_secret": "a" * 40}])
def test_a_wrong_key_or_secret_is_refused(livekit_url: str, wrong: dict[str, str]) -> None:
    check = check_key(load_settings(None, livekit_url=livekit_url, **wrong))
    assert check.state == "fail"
    assert "LIVEKIT_API_SECRET" in check.advice
    assert "eyJ" not in check.found + check.advice
