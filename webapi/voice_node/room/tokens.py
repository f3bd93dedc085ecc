"""Access tokens: for one room, with the rights that are needed there, for a limited time."""

from __future__ import annotations

import warnings
from datetime import timedelta

from livekit import api

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError

MAX_NAME = 256  # characters; LiveKit's own limit
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def mint(settings: Settings, identity: str, room: str, *, bot: bool = False, ttl: timedelta = HOUR) -> str:
    """A JWT with which `identity` can join `room`, and no other room, within `ttl` from now.

    A caller may hear the room and, with LK_USER_PUBLISH_AUDIO, publish a microphone, but no camera and no data. The bot
    may publish its audio and its data messages. A participant who is in the room when the token expires stays there, as
    the server renews the token.
    Raises UserError for a name that LiveKit does not accept.
    """
    for what, name in (("identity", identity), ("room", room)):
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise UserError(f"{what} {name[:80]!r}: allowed are 1 to {MAX_NAME} printable characters, not all blank")
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_subscribe=True,
        can_publish=bot or settings.lk_user_publish_audio,
        can_publish_sources=["microphone"],
        can_publish_data=bot,
    )
    token = _token(settings, grants, ttl).with_identity(identity)
    return _signed(token.with_kind("agent" if bot else "standard"))


def mint_removal(settings: Settings, room: str) -> str:
    """A JWT with which participants of `room` can be removed from it, and nothing else, within a minute from now."""
    return _signed(_token(settings, api.VideoGrants(room_admin=True, room=room), MINUTE))


def _token(settings: Settings, grants: api.VideoGrants, ttl: timedelta) -> api.AccessToken:
    secret = settings.livekit_api_secret.get_secret_value()
    return api.AccessToken(settings.livekit_api_key, secret).with_grants(grants).with_ttl(ttl)


def _signed(token: api.AccessToken) -> str:
    with warnings.catch_warnings():
        # PyJWT warns of secrets under 32 bytes, such as the development secret; the server has its own warning.
        warnings.filterwarnings("ignore", message="The HMAC key is")
        return token.to_jwt()
