"""What a real LiveKit server says of a key."""

from __future__ import annotations

import pytest

from webapi.voice_node.config import load_settings
from webapi.voice_node.doctor import check_key, check_server

pytestmark = pytest.mark.e2e


def test_a_running_server_is_well_and_takes_its_own_key(livekit_url: str) -> None:
    settings = load_settings(None, livekit_url=livekit_url)
    assert check_server(settings).state == "ok"
    assert check_key(settings).state == "ok"


@pytest.mark.parametrize("wrong", [{"livekit_api_key": "nokey"}, {"livekit_api_secret": "a" * 40}])
def test_a_wrong_key_or_secret_is_refused(livekit_url: str, wrong: dict[str, str]) -> None:
    check = check_key(load_settings(None, livekit_url=livekit_url, **wrong))
    assert check.state == "fail"
    assert "LIVEKIT_API_SECRET" in check.advice
    assert "eyJ" not in check.found + check.advice
