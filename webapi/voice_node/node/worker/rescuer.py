"""Watches the rooms, and gives calls that nobody serves to a worker: see rescue.py for when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from livekit.protocol.agent import Job
from loguru import logger

from webapi.voice_node.clock.run import wait_set
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError, describe
from webapi.voice_node.node.worker.dispatches import Dispatches, Found
from webapi.voice_node.node.worker.rescue import Seen, State, is_due, is_settled, state_of
from webapi.voice_node.room.room_list import FAILURES, OpenRoom

POLL_S = 1.0  # between two looks at the list of rooms, and between two questions to a worker
QUESTIONS = 4  # to a worker that does not answer, after which it is dead
QUESTION_S = 1.05  # from each to the next one
OWN_S = 0.8  # for this worker's own bot to answer: it does within 10 ms, and on a busy machine within a few hundred
OWN_ROUNDS = 5  # in every so many rounds, and when the server answers again, this worker's own rooms are looked at
SAMPLE = 5  # settled rooms that are looked at in each round: the server counts a room's people only every 5 s
AT_ONCE = 10  # looks at rooms


@dataclass
class Watched:
    """A room as it was when it was looked at last."""

    room: OpenRoom
    found: list[Found] = field(default_factory=list)
    states: dict[str, tuple[State, float]] = field(default_factory=dict)  # and since when, by dispatch


class Rescuer:
    """Looks at all rooms of the server, but at each only when it is new, has changed, or something is wrong in it.

    Workers are asked whether they live by way of one of their bots, one question a second for each other worker. A
    worker is dead only if it answers none of several questions, and a bot of this worker's own answers meanwhile: where
    the server or the machine is overloaded, nobody answers in time, and nobody is dead.
    `mine`: the jobs that this worker serves, by their dispatch. `free`: it has room for a call. `leave` gets the jobs
    whose call was given to another worker, while this one was cut off. `reachable` is told when the server stops
    answering, and when it answers again.
    """

    def __init__(
        self,
        settings: Settings,
        dispatches: Dispatches,
        mine: Callable[[], Mapping[str, Job]],
        free: Callable[[], bool],
        leave: Callable[[Job], object],
        reachable: Callable[[bool], object] = lambda _: None,
    ) -> None:
        self._leave = leave
        self._reachable = reachable
        self._rounds = 0
        self._left: set[str] = set()  # dispatches whose jobs `leave` got
        self._dispatches = dispatches
        self._mine = mine
        self._free = free
        self._loop = asyncio.get_running_loop()
        self._rooms: dict[str, Watched] = {}  # by sid
        self._dead: set[str] = set()  # workers that do not answer
        self._died = asyncio.Event()
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._told = False
        self._log = logger.bind(agent=settings.lk_agent_name)

    async def run(self) -> None:
        """Watch until it is cancelled."""
        await asyncio.gather(self._watch_rooms(), self._watch_workers())

    # ------------------------------------------------------------ who is in the rooms?

    async def _watch_rooms(self) -> None:
        while True:
            self._died.clear()
            try:
                await self._round(await self._dispatches.rooms())
                if self._told:
                    self._reachable(True)
                    self._rounds = 0
                self._told = False
            except Exception as error:  # whatever the server, or what is in front of it, has answered
                self._on_no_answer(error)
            await wait_set(self._died, POLL_S)

    def _on_no_answer(self, error: Exception) -> None:
        """Tell of the first of several in a row."""
        if self._told:
            return
        self._told = True
        self._reachable(False)
        expected = isinstance(error, (UserError, *FAILURES))
        reason = str(error).partition("\n")[0] if expected else describe(error)
        log = self._log.bind(event="rooms_unknown").opt(exception=None if expected else error)
        log.warning(f"calls of other workers are not watched: {reason}")

    async def _round(self, rooms: list[OpenRoom]) -> None:
        before = self._rooms
        self._rooms = {room.sid: before.get(room.sid, Watched(OpenRoom("", "", -1))) for room in rooms}
        settled = [room for room in rooms if not self._is_open(room)]
        sample = random.sample(settled, min(SAMPLE, len(settled)))
        own = {job.room.name for job in self._mine().values()} if self._rounds % OWN_ROUNDS == 0 else set()
        self._rounds += 1
        self._left &= self._mine().keys()
        unknown = await self._looks([r for r in rooms if self._is_open(r) or r in sample or r.name in own])
        await asyncio.gather(*(self._decide(each) for sid, each in self._rooms.items() if sid not in unknown))

    async def _looks(self, rooms: list[OpenRoom]) -> set[str]:
        """Look at rooms. Returns the sids of those of which nothing was told. If that is all, raises one of FAILURES.

        In a cluster, the rooms of a node that hangs can't be looked at, and all others can.
        """
        results = await asyncio.gather(*map(self._look, rooms), return_exceptions=True)
        errors = [each for each in results if isinstance(each, BaseException)]
        for error in errors:
            if len(errors) == len(rooms) or not isinstance(error, FAILURES):
                raise error
        return {room.sid for room, error in zip(rooms, results, strict=True) if error is not None}

    def _is_open(self, room: OpenRoom) -> bool:
        """Whether the room must be looked at: it is new or has changed, or is not settled."""
        watched = self._rooms[room.sid]
        return watched.room.people != room.people or any(not is_settled(state) for state, _ in watched.states.values())

    async def _look(self, room: OpenRoom) -> None:
        served = {dispatch: job for dispatch, job in self._mine().items() if job.room.name == room.name}
        async with self._asking:
            found = await self._dispatches.look(room.name)
        self._rooms[room.sid].room, self._rooms[room.sid].found = room, found
        there = {each.seen.dispatch for each in found}
        for dispatch, job in served.items():  # not those that have come since the server was asked
            if there and dispatch not in there and dispatch in self._mine() and dispatch not in self._left:
                self._left.add(dispatch)
                log = self._log.bind(event="call_lost", room=room.name)
                log.warning(f"room {room.name}: the call was given to another worker; this bot leaves")
                self._leave(job)

    # ------------------------------------------------------------ do the other workers live?

    async def _watch_workers(self) -> None:
        asked: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                asked = {worker: task for worker, task in asked.items() if not task.done()}
                for worker in self._bots().keys() - asked.keys():
                    asked[worker] = asyncio.create_task(self._ask(worker))
                await asyncio.sleep(POLL_S)
        finally:
            for task in asked.values():
                task.cancel()

    def _bots(self) -> dict[str, list[Seen]]:
        """The bots of the other workers, by worker."""
        mine, bots = self._mine(), dict[str, list[Seen]]()
        for seen in self._present():
            if seen.worker and seen.dispatch not in mine:
                bots.setdefault(seen.worker, []).append(seen)
        return bots

    def _own_bots(self) -> list[Seen]:
        mine = self._mine()
        return [seen for seen in self._present() if seen.dispatch in mine]

    def _present(self) -> list[Seen]:
        found = (each.seen for watched in self._rooms.values() for each in watched.found)
        return [seen for seen in found if seen.present]

    async def _ask(self, worker: str) -> None:
        """Ask a worker whether it lives, by way of any of its bots: QUESTIONS times, or until it has answered.

        A question goes on while the next one is asked: a process that gets little time answers late. With each but the
        first one a bot of this worker's own is asked, too.
        """
        answer: asyncio.Future[bool | None] = self._loop.create_future()  # a silence is none
        tasks: list[asyncio.Task[Any]] = []
        try:
            for number in range(QUESTIONS):
                bots = self._bots().get(worker, [])
                if not bots:
                    return
                tasks.append(asyncio.create_task(self._question(bots, answer)))
                own = asyncio.create_task(self._probe(self._own_bots() if number else [], OWN_S))
                tasks.append(own)
                await asyncio.wait([answer], timeout=QUESTION_S)
                if answer.done():
                    if answer.result():
                        self._dead.discard(worker)
                    return
                if await own is False:
                    return
            if not answer.done():
                self._on_silence(worker, len(bots))
        finally:
            for task in tasks:
                task.cancel()

    async def _question(self, bots: list[Seen], answer: asyncio.Future[bool | None]) -> None:
        got = await self._probe(bots, QUESTION_S * QUESTIONS)
        if got is not False and not answer.done():
            answer.set_result(got)

    def _on_silence(self, worker: str, calls: int) -> None:
        if worker in self._dead:
            return
        log = self._log.bind(event="worker_dead", worker=worker, calls=calls)
        log.error(f"worker {worker} does not answer: its {calls} calls are given to others")
        self._dead.add(worker)
        self._died.set()

    async def _probe(self, bots: list[Seen], within_s: float) -> bool | None:
        """Whether one of these bots answers; None where nobody can say, or there is none."""
        if not bots:
            return None
        bot = random.choice(bots)  # noqa: S311 - no secret
        return await self._dispatches.probe(bot.room, bot.identity, within_s)

    # ------------------------------------------------------------ what is to be done

    async def _decide(self, watched: Watched) -> None:
        now_s, before, watched.states = self._loop.time(), watched.states, {}
        for found in watched.found:
            seen = found.seen
            state = state_of(seen, self._mine(), self._dead)
            old, since_s = before.get(seen.dispatch, (None, now_s))
            since_s = since_s if old is state else now_s
            watched.states[seen.dispatch] = (state, since_s)
            if state is State.HOPELESS and old is not state:
                log = self._log.bind(event="rescue_given_up", room=seen.room, rescues=seen.rescues)
                log.error(f"room {seen.room}: its bot is gone for the {seen.rescues + 1}th time; it gets no other")
            if is_due(state, seen.rescues, now_s - since_s, free=self._free()):
                await self._rescue(found, state)
                watched.room = OpenRoom("", "", -1)  # to be looked at in the next round

    async def _rescue(self, found: Found, state: State) -> None:
        seen = found.seen
        try:
            done = await self._dispatches.again(found)
        except FAILURES as error:
            log = self._log.bind(event="rescue_failed", room=seen.room)
            log.error(f"room {seen.room}: the call could not be dispatched again: {type(error).__name__}")
            return
        if done:
            log = self._log.bind(event="rescue", room=seen.room, why=state.name.lower(), rescues=seen.rescues + 1)
            log.warning(f"room {seen.room}: {state.value}; dispatched again")
