"""What LiveKit says, in words that help: why a connection failed, why a room is gone. No secret in any of them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from webapi.voice_node.config import is_loopback

TOKEN = re.compile(r"eyJ[\w-]*\.[\w-]*\.[\w-]*")  # the server quotes the token that it refuses
NO_NETWORK = (
    "Or this machine has no network at all: LiveKit's client needs an interface beside loopback, "
    "also for a server on this machine."
)
LONGEST = 200  # characters of what a server said: some web servers answer with a page


def short(said: str) -> str:
    """One line of what was said, without the access token in it."""
    text = " ".join(TOKEN.sub("[token hidden]", said).split())
    text = text.removeprefix("engine: ").removeprefix("signal failure: ")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def why_not_connected(url: str, said: str) -> str:
    """The lines for a user whose first connection to `url` failed with `said`, the SDK's words."""
    reason = short(said)
    return f"LIVEKIT_URL={_public(url)}: {_what_happened(reason)} ({reason})\n{_what_to_do(reason)}"


def timed_out(url: str, seconds: float) -> str:
    """The lines for a user whose server took the connection and then said nothing."""
    said = (
        f"LIVEKIT_URL={_public(url)}: no answer within {seconds:g} s\n"
        "Something listens there but does not speak LiveKit, or the network swallows packets: "
        "check host and port, and any firewall or proxy between."
    )
    # libwebrtc leaves loopback out of the interfaces by which it could be reached (seen with livekit 1.1.21).
    return f"{said}\n{NO_NETWORK}" if is_loopback(url) else said


def why_gone(reason: str) -> str:
    """A room's end in plain words; `reason` is the name of a DisconnectReason."""
    return GONE.get(reason, f"the connection to the server was lost ({reason.lower()})")


GONE = {
    "ROOM_DELETED": "the room was deleted",
    "ROOM_CLOSED": "the server closed the room, which had stood without a caller",
    "SERVER_SHUTDOWN": "the server is shutting down",
    "UNKNOWN_REASON": "the connection to the server was lost",
}


def must_give_up(reason: str, identity: str, room: str) -> str | None:
    """What to tell the user where joining again would be wrong; None where it is right."""
    if reason == "DUPLICATE_IDENTITY":
        return (
            f"another participant joined room {room} as {identity}, which ended this connection: "
            "is the node running twice? Stop one of them, or give each a LK_BOT_IDENTITY of its own."
        )
    if reason == "PARTICIPANT_REMOVED":
        return f"an administrator of the server removed {identity} from room {room}; start the node again to join."
    return None


def _what_happened(reason: str) -> str:
    if "401" in reason:
        return "the server refuses the node's token"
    if "handshake error" in reason:  # it speaks HTTP, and knows nothing of a WebSocket
        return "a web server answers there, which is no LiveKit server"
    if "404" in reason:
        return "a web server answers there, but it is not LiveKit or knows no such room"
    if "refused" in reason:
        return "nothing listens there"
    if "lookup" in reason:
        return "there is no host of that name"
    if "timed out" in reason:
        return "no answer"
    return "no connection"


def _what_to_do(reason: str) -> str:
    if "expired" in reason or "not valid yet" in reason:
        return "Check this machine's clock: the token was made just now."
    if "401" in reason:
        return "Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET: both must be the server's."
    if "refused" in reason:
        return "Start a LiveKit server there (such as `livekit-server --dev`), or set LIVEKIT_URL to where one runs."
    return "Check host and port of LIVEKIT_URL; `voice-node doctor` looks at each step."


def _public(url: str) -> str:
    """The URL without what could be a password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
