"""What a token grants, and what it does not."""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from livekit import api
from livekit.api.access_token import Claims

from webapi.voice_node.config import DEV_KEY, DEV_SECRET, Settings, load_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.room.tokens import mint, mint_removal

ROOT = Path(__file__).parents[2]


def settings(**given: object) -> Settings:
    return load_settings(None, **given)


def claims(token: str, key: str = DEV_KEY, secret: str = DEV_SECRET) -> Claims:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the short development secret
        return api.TokenVerifier(key, secret).verify(token)


def granted(token: str) -> dict[str, Any]:
    video = claims(token).video
    assert video is not None
    return {name: value for name, value in vars(video).items() if value not in (None, False, [])}


def test_a_caller_may_join_one_room_hear_it_and_speak_and_nothing_else() -> None:
    token = mint(settings(), "alice", "demo")
    assert granted(token) == {
        "room_join": True,
        "room": "demo",
        "can_subscribe": True,
        "can_publish": True,
        "can_publish_sources": ["microphone"],
    }
    assert claims(token).identity == "alice"
    assert claims(token).kind == "standard"


def test_callers_are_mute_where_the_setting_says_so() -> None:
    assert "can_publish" not in granted(mint(settings(lk_user_publish_audio=False), "alice", "demo"))


def test_what_is_not_granted_is_refused_in_so_many_words() -> None:
    """LiveKit takes a missing permission to publish for a yes."""
    video = claims(mint(settings(lk_user_publish_audio=False), "alice", "demo")).video
    assert video is not None
    assert video.can_publish is False
    assert video.can_publish_data is False


def test_the_bot_may_speak_and_send_events_and_is_known_as_one() -> None:
    token = mint(settings(lk_user_publish_audio=False), "ingobot", "demo", bot=True)
    assert granted(token)["can_publish"] is True
    assert granted(token)["can_publish_data"] is True
    assert granted(token)["room"] == "demo"
    assert claims(token).kind == "agent"


def test_a_token_ends() -> None:
    with pytest.raises(Exception, match="expired"):
        claims(mint(settings(), "alice", "demo", ttl=timedelta(hours=-1)))


def test_a_token_is_signed_with_the_settings_secret() -> None:
    secret = "another-secret-that-is-long-enough"
    token = mint(settings(livekit_api_key="mine", livekit_api_secret=secret), "alice", "demo")
    assert claims(token, "mine", secret).identity == "alice"
    with pytest.raises(Exception, match="Signature"):
        claims(token, "mine")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 257])
def test_names_that_livekit_would_not_take_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="identity"):
        mint(settings(), name, "demo")
    with pytest.raises(UserError, match="room"):
        mint(settings(), "alice", name)


def test_nobody_is_warned_of_the_development_secret(recwarn: pytest.WarningsRecorder) -> None:
    mint(settings(), "alice", "demo")
    mint_removal(settings(), "demo")
    assert not recwarn.list


def test_the_node_removes_callers_of_one_room_and_does_nothing_else_in_it() -> None:
    token = mint_removal(settings(), "demo")
    rights = granted(token)
    assert {name: rights[name] for name in ("room_admin", "room")} == {"room_admin": True, "room": "demo"}
    assert set(rights) <= {"room_admin", "room", "can_publish", "can_subscribe", "can_publish_data"}  # the defaults
    assert "room_join" not in rights


# ---------------------------------------------------------------- the script


def gen_token(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in an empty folder, so that no .env is found."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "gen_token.py"), *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_prints_a_token_and_nothing_else(tmp_path: Path) -> None:
    ran = gen_token(
        tmp_path,
        *["--room", "demo", "--identity", "me", "--api-key", "devkey", "--api-secret", "secret"],
        LIVEKIT_URL="ws://127.0.0.1:7880",
    )
    assert ran.stderr == ""
    assert claims(ran.stdout.strip()).identity == "me"
    assert granted(ran.stdout.strip())["room"] == "demo"


@pytest.mark.parametrize("given", [{}, {"LIVEKIT_API_KEY": "mine"}, {"LIVEKIT_API_SECRET": "mine"}])
@pytest.mark.parametrize("by_option", [False, True])
def test_the_development_pair_is_for_a_server_on_loopback_only(
    tmp_path: Path, by_option: bool, given: dict[str, str]
) -> None:
    environment = given if by_option else {**given, "LIVEKIT_URL": "wss://a.example"}
    ran = gen_token(tmp_path, "--identity", "me", *(("--url", "wss://a.example") if by_option else ()), **environment)
    assert (ran.returncode, ran.stdout) == (2, "")
    named = {line.split("=")[0].split()[0] for line in ran.stderr.splitlines()}
    assert named == {"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"} - set(given)
    assert "the development default is refused for a server not on loopback (wss://a.example)" in ran.stderr


def test_the_script_takes_the_key_of_any_server(tmp_path: Path) -> None:
    secret = "s" * 32
    ran = gen_token(
        tmp_path, *("--identity", "me", "--url", "wss://a.example", "--api-key", "mine"), LIVEKIT_API_SECRET=secret
    )
    assert claims(ran.stdout.strip(), "mine", secret).identity == "me"


def test_the_script_says_what_is_wrong_in_a_line(tmp_path: Path) -> None:
    ran = gen_token(tmp_path, "--room", "demo", "--identity", "")
    assert ran.returncode == 2
    assert ran.stderr.startswith("identity ''")
    assert "Traceback" not in ran.stderr
