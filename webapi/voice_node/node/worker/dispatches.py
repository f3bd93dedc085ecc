"""Asks LiveKit's server which calls were dispatched where, and dispatches one again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from livekit import api
from livekit.protocol.agent import JS_SUCCESS
from livekit.protocol.agent_dispatch import AgentDispatch
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import PerformRpcRequest, PerformRpcResponse

from webapi.voice_node.config import Settings
from webapi.voice_node.node.worker.agent_name import agent_name
from webapi.voice_node.node.worker.rescue import Seen
from webapi.voice_node.room import who_is_heard
from webapi.voice_node.room.room_list import FAILURES, OpenRoom, RoomList

PROBE = "voice_node.alive"  # no bot has such a method: its SDK says so at once, whatever the bot does
REPLIED, SILENT = "RpcError 14", ("RpcError 15", "transport failure")
RESCUES = "voice_node.rescues"  # an attribute of a dispatch: how often it was dispatched again
CALLERS = frozenset(ParticipantInfo.Kind.Value(name.upper()) for name in who_is_heard.CALLERS)
AGENT_NAME = "lk.agent.name"  # an attribute that the server gives to each bot by its first token
TRIES, PAUSE_S = 5, 1.0
LAST_S = 2.0  # for a dispatch that is being made while the worker ends


@dataclass(frozen=True)
class Found:
    """A dispatch in a room, and the request that makes the same one again."""

    seen: Seen
    again: api.CreateAgentDispatchRequest


class Dispatches:
    """The dispatches of LK_AGENT_NAME. `async with`; where the server does not answer, it raises one of FAILURES."""

    def __init__(self, settings: Settings) -> None:
        self._name = agent_name(settings)
        self._list = RoomList(settings)
        self._server = self._list.server

    async def __aenter__(self) -> Dispatches:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._list.__aexit__(kind, error, trace)

    async def rooms(self) -> list[OpenRoom]:
        """The open rooms. Raises UserError where the server does not answer."""
        return await self._list.all()

    async def exists(self, dispatch: str, room: str) -> bool:
        """Whether the dispatch is there; true also where the server does not say."""
        try:
            return any(each.id == dispatch for each in await self._server.agent_dispatch.list_dispatch(room))
        except api.TwirpError as error:
            return error.code != "not_found"
        except FAILURES:
            return True

    async def look(self, room: str) -> list[Found]:
        """The dispatches in a room; none where it has just been closed."""
        try:
            dispatches = await self._server.agent_dispatch.list_dispatch(room)
            ours = [each for each in dispatches if each.agent_name == self._name]
            if not ours:
                return []
            there = await self._server.room.list_participants(api.ListParticipantsRequest(room=room))
        except api.TwirpError as error:
            if error.code in ("not_found", "unavailable"):  # unavailable: "no response from servers", it is closing
                return []
            raise
        people = list(there.participants)
        return [found(dispatch, people) for dispatch in ours]

    async def probe(self, room: str, identity: str, within_s: float) -> bool | None:
        """Whether the process of a bot answers; None where nobody can say. The server waits for 2 s at most."""
        timeout_ms = int(within_s * 1000)
        request = PerformRpcRequest(
            room=room, destination_identity=identity, method=PROBE, response_timeout_ms=timeout_ms
        )
        service = self._server.room  # livekit-api 1.2.2 has no method for this call of the room service
        grant = service._auth_header(api.VideoGrants(room_admin=True, room=room))
        try:
            await service._client.request("RoomService", "PerformRpc", request, grant, PerformRpcResponse)
        except api.TwirpError as error:
            if REPLIED in error.message:
                return True
            return False if any(text in error.message for text in SILENT) else None
        except FAILURES:
            return None
        return True

    async def delete(self, dispatch: str, room: str) -> bool:
        """Delete a dispatch. Of several that try, the server lets one succeed: whether it was this."""
        try:
            await self._server.agent_dispatch.delete_dispatch(dispatch, room)
        except FAILURES:
            return False
        return True

    async def again(self, found: Found) -> bool:
        """Dispatch a call once more. False where another worker does.

        A cancel lets it go on for LAST_S at most: a dispatch that was deleted and not made again is a lost call.
        """
        making = asyncio.ensure_future(self._again(found))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            await asyncio.wait([making], timeout=LAST_S)
            making.cancel()
            await asyncio.wait([making])
            raise

    async def _again(self, found: Found) -> bool:
        seen = found.seen
        if not await self.delete(seen.dispatch, seen.room):
            return False
        if seen.present:  # a bot whose process has died stays for 20 s, and its leaving would end the new job
            request = api.RoomParticipantIdentity(room=seen.room, identity=seen.identity)
            with suppress(*FAILURES):  # it may have left by itself
                await self._server.room.remove_participant(request)
        for left in reversed(range(TRIES)):
            try:
                await self._server.agent_dispatch.create_dispatch(found.again)
                break
            except FAILURES:
                if not left:
                    raise
                await asyncio.sleep(PAUSE_S)
        return True


def found(dispatch: AgentDispatch, people: list[ParticipantInfo]) -> Found:
    """What is seen of a dispatch."""
    job = dispatch.state.jobs[-1] if dispatch.state.jobs else None
    identity, count = job.state.participant_identity if job else "", dispatch.attributes.get(RESCUES, "0")
    rescues = int(count[:4]) if count.isdecimal() else 0  # int() refuses thousands of digits
    seen = Seen(
        dispatch.room,
        dispatch.id,
        job.state.worker_id if job else "",
        identity,
        present=any(each.identity == identity if job else _is_agent(each, dispatch.agent_name) for each in people),
        declined=job is not None and job.state.status == JS_SUCCESS and not identity,
        callers=sum(each.kind in CALLERS for each in people),
        rescues=rescues,
    )
    attributes = {**dispatch.attributes, RESCUES: str(rescues + (1 if job else 0))}
    again = api.CreateAgentDispatchRequest(
        agent_name=dispatch.agent_name,
        room=dispatch.room,
        metadata=dispatch.metadata,
        restart_policy=dispatch.restart_policy,
        deployment=dispatch.deployment,
        attributes=attributes,
    )
    return Found(seen, again)


def _is_agent(participant: ParticipantInfo, name: str) -> bool:
    """Whether this is a bot of the agent `name`."""
    return participant.kind == ParticipantInfo.AGENT and participant.attributes.get(AGENT_NAME, "") == name
