"""LiveKit's errors as messages for users: the cause, and what to do about it. No message has a secret in it."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from webapi.voice_node.errors.loopback import is_loopback
from webapi.voice_node.errors.plain_text import shortened

TOKEN = re.compile(r"eyJ[\w-]*\.[\w-]*\.[\w-]*")  # the server quotes the token that it refuses
NO_NETWORK = (
    "Or this machine has no network at all: LiveKit's client needs an interface beside loopback, "
    "also for a server on this machine."
)
MAX_LENGTH = 200  # characters of a server's message: some web servers answer with a whole page


class ConnectError(NamedTuple):
    """One error of `Room.connect`; a field is "" where an error further down in the table gives it."""

    text: str  # the SDK's message contains this
    cause: str
    remedy: str


CHECK_CLOCK = "Check this machine's clock: the token was made just now."
CHECK_URL = "Check host and port of LIVEKIT_URL; `voice-node doctor` looks at each step."

# Cause and remedy are looked up one by one: each comes from the first error that fits and gives it.
CONNECT_ERRORS = (
    ConnectError("expired", "", CHECK_CLOCK),
    ConnectError("not valid yet", "", CHECK_CLOCK),
    ConnectError(
        "401",
        "the server refuses the node's token",
        "Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET: both must be the server's.",
    ),
    # It answers over HTTP, but does not switch to a WebSocket.
    ConnectError("handshake error", "a web server answers there, which is no LiveKit server", ""),
    ConnectError("404", "a web server answers there, but it is not LiveKit or knows no such room", ""),
    ConnectError(
        "refused",
        "nothing listens there",
        "Start a LiveKit server there (such as `livekit-server --dev`), or set LIVEKIT_URL to where one runs.",
    ),
    ConnectError("lookup", "there is no host of that name", ""),
    ConnectError("timed out", "no answer", ""),
    ConnectError("", "no connection", CHECK_URL),  # every other error
)

DISCONNECTED = {  # by the name of LiveKit's DisconnectReason
    "ROOM_DELETED": "the room was deleted",
    "ROOM_CLOSED": "the server closed the room, which had stood without a caller",
    "SERVER_SHUTDOWN": "the server is shutting down",
    "UNKNOWN_REASON": "the connection to the server was lost",
}


def short(message: str) -> str:
    """The message in one line of at most MAX_LENGTH characters, with access tokens hidden."""
    text = " ".join(TOKEN.sub("[token hidden]", message).split())
    text = text.removeprefix("engine: ").removeprefix("signal failure: ")
    return shortened(text, MAX_LENGTH)


def why_not_connected(url: str, message: str) -> str:
    """Two lines for a user whose first connection to `url` failed: cause and remedy. `message` is the SDK's."""
    message = short(message)
    fitting = [error for error in CONNECT_ERRORS if error.text in message]
    cause = next(error.cause for error in fitting if error.cause)
    remedy = next(error.remedy for error in fitting if error.remedy)
    return f"LIVEKIT_URL={_public(url)}: {cause} ({message})\n{remedy}"


def timed_out(url: str, seconds: float) -> str:
    """The lines for a user whose server accepted the connection and then sent nothing."""
    said = (
        f"LIVEKIT_URL={_public(url)}: no answer within {seconds:g} s\n"
        "Something listens there but does not speak LiveKit, or the network swallows packets: "
        "check host and port, and any firewall or proxy between."
    )
    # libwebrtc does not use the loopback interface, even for a server on loopback (seen with livekit 1.1.21).
    return f"{said}\n{NO_NETWORK}" if is_loopback(url) else said


def why_gone(reason: str) -> str:
    """Why the node is out of its room, in plain words; `reason` is the name of a DisconnectReason."""
    return DISCONNECTED.get(reason, f"the connection to the server was lost ({reason.lower()})")


def must_give_up(reason: str, identity: str, room: str) -> str | None:
    """The message for the user where the node must not join again; None where it may."""
    if reason == "DUPLICATE_IDENTITY":
        return (
            f"another participant joined room {room} as {identity}, which ended this connection: "
            "is the node running twice? Stop one of them, or give each a LK_BOT_IDENTITY of its own."
        )
    if reason == "PARTICIPANT_REMOVED":
        return f"an administrator of the server removed {identity} from room {room}; start the node again to join."
    return None


def _public(url: str) -> str:
    """The URL without user, password, query and fragment."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
