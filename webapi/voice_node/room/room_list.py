"""Asks LiveKit's room service which rooms are open, and who is in one."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass
from types import TracebackType

import aiohttp
from google.protobuf.message import DecodeError
from livekit import api

from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.room import error_messages

ANSWER_S = 5.0
# DecodeError: something else answers, such as a proxy with a page of its own.
FAILURES = (aiohttp.ClientError, api.TwirpError, asyncio.TimeoutError, DecodeError)


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A room that is open on the server."""

    name: str
    sid: str  # another one each time that a room of this name opens
    people: int  # participants other than bots, recorders and the like
    opened_s: int = 0  # Unix time


class RoomList:
    """The room service of the server: `async with RoomList(settings) as rooms: found = await rooms.all()`.

    `server`: all of the server's API, by the same connections.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.livekit_url
        secret = settings.livekit_api_secret.get_secret_value()
        # PyJWT warns of secrets under 32 bytes, such as the development secret; the server has its own warning.
        warnings.filterwarnings("ignore", message="The HMAC key is")
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        self.server = api.LiveKitAPI(self._url, settings.livekit_api_key, secret, timeout=timeout)

    async def __aenter__(self) -> RoomList:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.server.aclose()

    async def all(self) -> list[OpenRoom]:
        """The rooms that are open, the oldest first. Raises UserError where the server does not answer."""
        try:
            found = await self.server.room.list_rooms(api.ListRoomsRequest())
        except FAILURES as error:
            raise UserError(error_messages.why_not_connected(self._url, _reason(error))) from None
        rooms = [OpenRoom(each.name, each.sid, each.num_participants, each.creation_time) for each in found.rooms]
        return sorted(rooms, key=lambda room: (room.opened_s, room.name))

    async def has(self, room: str, identity: str) -> bool:
        """Whether a participant of that identity is in the room. False too where the server does not say."""
        try:
            found = await self.server.room.list_participants(api.ListParticipantsRequest(room=room))
        except FAILURES:
            return False
        return any(participant.identity == identity for participant in found.participants)


def _reason(error: Exception) -> str:
    """What the error says, in the words that error_messages.CONNECT_ERRORS looks for."""
    if isinstance(error, asyncio.TimeoutError):
        return "timed out"
    if isinstance(error, api.TwirpError):
        return f"{error.status}: {error.message}"
    text = str(error)
    return f"connection refused: {text}" if isinstance(error.__cause__, ConnectionRefusedError) else text
