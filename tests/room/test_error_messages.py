"""What LiveKit says, in words for people: the cause named, something to do, and never a token."""

from __future__ import annotations

import pytest

from webapi.voice_node.room.error_messages import must_give_up, short, timed_out, why_gone, why_not_connected

URL = "ws://voice.example:7880"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl-_A"

# What livekit 1.1.21 said of a server 1.13.5, word for word but for the token.
SAID = {
    f"engine: signal failure: client error: 401 Unauthorized - invalid token: {TOKEN}, error: token signature is "
    "invalid: signature is invalid": ("refuses the node's token", "LIVEKIT_API_SECRET"),
    "engine: signal failure: client error: 401 Unauthorized - invalid API key: nokey": ("refuses", "LIVEKIT_API_KEY"),
    f"engine: signal failure: client error: 401 Unauthorized - invalid token: {TOKEN}, error: token has invalid "
    "claims: token is expired": ("refuses", "clock"),
    "engine: signal failure: transport connection error: IO error: Connection refused (os error 111)": (
        "nothing listens there",
        "Start a LiveKit server",
    ),
    "engine: signal failure: transport connection error: IO error: failed to lookup address information: Name or "
    "service not known": ("no host of that name", "LIVEKIT_URL"),
    "engine: signal failure: client error: 404 Not Found - <!DOCTYPE HTML>\n<html>" + "x" * 5000: (
        "not LiveKit",
        "port",
    ),
    "engine: signal failure: handshake error: 200 OK": ("a web server answers there, which is no LiveKit", "port"),
    "engine: signal failure: transport timed out": ("no answer", "LIVEKIT_URL"),
    "something new": ("no connection (something new)", "voice-node doctor"),
}


@pytest.mark.parametrize("said", SAID)
def test_a_failed_connection_names_url_cause_and_cure(said: str) -> None:
    cause, cure = SAID[said]
    text = why_not_connected(URL, said)
    first, second = text.splitlines()
    assert first.startswith(f"LIVEKIT_URL={URL}: ")
    assert cause in first
    assert cure in second
    assert "eyJ" not in text
    assert len(first) < 400


def test_a_password_in_the_url_is_not_shown() -> None:
    for text in (why_not_connected("wss://user:hunter2@host:1/x?token=abc", "x"), timed_out("ws://me:pw@host", 10)):
        assert "hunter2" not in text
        assert "abc" not in text
        assert "pw" not in text


def test_a_machine_without_a_network_is_thought_of_where_the_server_is_on_it() -> None:
    assert "an interface beside loopback" in timed_out("ws://localhost:7880", 10)
    assert "loopback" not in timed_out(URL, 10)


def test_short_is_one_line_without_what_every_message_begins_with() -> None:
    assert short("engine: signal failure: a\n  b") == "a b"
    assert len(short("y" * 999)) == 200


def test_only_a_taken_name_and_a_removal_end_the_node() -> None:
    assert "LK_BOT_IDENTITY" in (must_give_up("DUPLICATE_IDENTITY", "bot", "demo") or "")
    assert "administrator" in (must_give_up("PARTICIPANT_REMOVED", "bot", "demo") or "")
    for reason in (
        "ROOM_DELETED",
        "ROOM_CLOSED",
        "SERVER_SHUTDOWN",
        "UNKNOWN_REASON",
        "STATE_MISMATCH",
        "SIGNAL_CLOSE",
    ):
        assert must_give_up(reason, "bot", "demo") is None


def test_why_a_room_is_gone_is_said_in_plain_words() -> None:
    assert why_gone("ROOM_DELETED") == "the room was deleted"
    assert why_gone("STATE_MISMATCH") == "the connection to the server was lost (state_mismatch)"
