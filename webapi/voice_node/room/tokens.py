"""Access tokens: one room, what is needed there, and an end."""

from __future__ import annotations

import warnings
from datetime import timedelta

from livekit import api

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError

LONGEST_NAME = 256  # characters; LiveKit's own limit
HOUR = timedelta(hours=1)


def mint(settings: Settings, identity: str, room: str, *, bot: bool = False, ttl: timedelta = HOUR) -> str:
    """A JWT with which `identity` can join `room`, and no other, within `ttl` from now.

    A caller's lets it hear the room, and publish a microphone where LK_USER_PUBLISH_AUDIO says so: no camera, no data,
    no change of its own name. The bot's lets it publish its voice and its events. Whoever is in the room when the
    token ends stays: the server gives them a fresh one.
    Raises UserError for a name that LiveKit would not take.
    """
    for what, name in (("identity", identity), ("room", room)):
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise UserError(
                f"{what} {name[:80]!r}: allowed are 1 to {LONGEST_NAME} printable characters, not all blank"
            )
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_subscribe=True,
        can_publish=bot or settings.lk_user_publish_audio,
        can_publish_sources=["microphone"],
        can_publish_data=bot,
    )
    secret = settings.livekit_api_secret.get_secret_value()
    token = api.AccessToken(settings.livekit_api_key, secret).with_identity(identity).with_grants(grants).with_ttl(ttl)
    with warnings.catch_warnings():
        # PyJWT warns of secrets under 32 bytes, such as the development one; the server warns of its own.
        warnings.filterwarnings("ignore", message="The HMAC key is")
        return token.with_kind("agent" if bot else "standard").to_jwt()
