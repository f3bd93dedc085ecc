"""Ends a caller's part in a room, through LiveKit's server API: a phone call is hung up by it too."""

from __future__ import annotations

import asyncio

from livekit import api
from loguru import logger

from webapi.voice_node.config import Settings
from webapi.voice_node.room.tokens import mint_removal

REMOVE_S = 5.0
ON_THE_WAY_S = 0.3  # audio and messages that were sent reach the caller in this time (50 to 60 ms on loopback)


async def remove_participant(settings: Settings, identity: str) -> bool:
    """Remove `identity` from LK_ROOM, once what was sent has reached them.

    Returns whether the server did. Where not, the reason is logged.
    """
    room = settings.lk_room
    await asyncio.sleep(ON_THE_WAY_S)
    bound = logger.bind(event="hang_up", room=room, identity=identity)
    try:
        async with api.LiveKitAPI(settings.livekit_url, token=mint_removal(settings, room)) as server:
            request = api.RoomParticipantIdentity(room=room, identity=identity)
            await asyncio.wait_for(server.room.remove_participant(request), REMOVE_S)
    except Exception as error:
        why = getattr(error, "message", "") or type(error).__name__
        bound.error(f"{identity} could not be hung up: the server at {settings.livekit_url} says {why}")
        return False
    bound.info(f"the bot has hung up on {identity}")
    return True
