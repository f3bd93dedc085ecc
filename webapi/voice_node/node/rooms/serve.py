"""Joins each room whose name matches LK_ROOMS as it opens, and serves it as a call of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from loguru import logger

from webapi.voice_node.clock.run import wait_set
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError, describe
from webapi.voice_node.node.calls import Calls
from webapi.voice_node.node.monitoring import Report
from webapi.voice_node.node.rooms.choose import Failed, after_failure, choose
from webapi.voice_node.room.room_list import OpenRoom, RoomList
from webapi.voice_node.room.session_port import MakeSession

POLL_S = 1.0  # between two looks at the list of rooms: how long a caller waits for the bot, at most
TAKEN_S = 5.0  # until a room that another node serves is looked at again


class ManyRooms:
    """Looks at the list of rooms every POLL_S, and serves those that LK_ROOMS of `settings` matches.

    A call that fails is logged and ends alone; its room is joined again after a pause. A room in which a participant
    with the node's identity is already, another node, is left to it. `report` gets whether the server can be asked.
    """

    def __init__(
        self,
        settings: Settings,
        make_session: MakeSession,
        calls: Calls,
        report: Report,
    ) -> None:
        self._report = report
        self._settings = settings
        self._make_session = make_session
        self._calls = calls
        self._served: dict[str, asyncio.Task[None]] = {}
        self._failed: Mapping[str, Failed] = {}
        self._waiting = 0  # rooms, of the last look
        self._answers = True  # the server did, when it was asked last
        self._loop = asyncio.get_running_loop()
        self._log = logger.bind(rooms=settings.lk_rooms)

    async def run(self, stop: asyncio.Event, ready: Callable[[], object]) -> None:
        """Serve until `stop` is set; then return, with calls going on. UserError where the first look fails."""
        async with RoomList(self._settings) as rooms:
            found = await rooms.all()
            self._report(None)
            ready()
            while not stop.is_set():
                self._look(found, rooms)
                await wait_set(stop, POLL_S)
                try:
                    found = await rooms.all()
                    self._note(None)
                except UserError as error:
                    self._note(str(error).partition("\n")[0])
                except Exception as error:  # whatever a proxy in front of the server has answered
                    self._note(describe(error))

    def _note(self, problem: str | None) -> None:
        """Whether the server answers now. What changes is reported, once."""
        if self._answers == (problem is None):
            return
        self._answers = problem is None
        self._report(None if self._answers else "server_unreachable")
        if problem is not None:
            self._log.bind(event="rooms_unknown").error(f"{problem}; calls go on, no new ones are seen")

    def _look(self, found: list[OpenRoom], rooms: RoomList) -> None:
        """Join what is to be joined now."""
        free, now_s = self._calls.limit - len(self._served), self._loop.time()
        open_sids = {room.sid for room in found}
        self._failed = {name: each for name, each in self._failed.items() if each.sid in open_sids}
        choice = choose(found, self._settings.lk_rooms, self._served, self._failed, free, now_s)
        for room in choice.join:
            task = asyncio.create_task(self._serve(room, rooms), name=f"room {room.name}")
            self._served[room.name] = task
        if len(choice.waiting) > self._waiting:
            names = ", ".join(room.name for room in choice.waiting[:5])
            bound = self._log.bind(event="rooms_wait", waiting=len(choice.waiting), max_calls=self._calls.limit)
            bound.warning(f"{len(choice.waiting)} more rooms wait ({names}): MAX_CALLS={self._calls.limit}")
        self._waiting = len(choice.waiting)

    async def _serve(self, room: OpenRoom, rooms: RoomList) -> None:
        """Serve one room. Raises nothing but a cancel."""
        settings = self._settings.model_copy(update={"lk_room": room.name})
        try:
            if await rooms.has(room.name, settings.lk_bot_identity):
                self._put_off(room, Failed(room.sid, 0.0, self._loop.time() + TAKEN_S))
            else:
                await self._calls.serve(settings, self._make_session)
                self._failed = {name: each for name, each in self._failed.items() if name != room.name}
        except UserError as error:
            self._fail(room, str(error), None)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:  # whatever it is, it is this call's
            self._fail(room, describe(error), error)
        finally:
            del self._served[room.name]

    def _fail(self, room: OpenRoom, why: str, error: BaseException | None) -> None:
        failed = after_failure(self._failed.get(room.name), room.sid, self._loop.time())
        self._put_off(room, failed)
        bound = self._log.bind(event="call_failed", room=room.name, again_s=failed.pause_s).opt(exception=error)
        bound.error(f"the call in room {room.name} failed, again in {failed.pause_s:g} s: {why}")

    def _put_off(self, room: OpenRoom, failed: Failed) -> None:
        self._failed = {**self._failed, room.name: failed}
