"""The watch over other workers' calls: a dead worker is found, a hiccup is no death, and no call is doubled."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace

from livekit import api
from livekit.protocol.agent import Job
from livekit.protocol.models import Room

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.errors import UserError
from webapi.voice_node.node.worker.dispatches import Found
from webapi.voice_node.node.worker.rescue import MOST, Seen
from webapi.voice_node.node.worker.rescuer import POLL_S, Rescuer
from webapi.voice_node.room.room_list import OpenRoom

MOST_S = 2.0  # that the server waits for an answer
AGAIN = api.CreateAgentDispatchRequest(agent_name="agent", room="room")


@dataclass
class Server:
    """The LiveKit server and its rooms, each with one dispatch. The worker `AW_new` takes what is dispatched again."""

    seen: dict[str, Seen] = field(default_factory=dict)  # by room
    dead: set[str] = field(default_factory=set)
    slow: dict[str, float] = field(default_factory=dict)  # seconds that a worker takes to answer
    down: bool = False
    unknown: set[str] = field(default_factory=set)  # rooms whose node does not answer
    again_s: list[tuple[str, float]] = field(default_factory=list)
    left: list[Job] = field(default_factory=list)
    broken: bool = False  # it gives answers that nobody expects
    probes: int = 0
    looks: int = 0

    def add(self, room: str, worker: str) -> None:
        self.seen[room] = Seen(room, f"AD_{room}", worker, "ingobot", present=True, callers=1)

    def change(self, room: str, **changes: object) -> None:
        self.seen[room] = replace(self.seen[room], **changes)  # type: ignore[arg-type]

    async def rooms(self) -> list[OpenRoom]:
        if self.down:
            raise UserError("no answer")
        if self.broken:
            raise KeyError("code")
        return [OpenRoom(room, f"RM_{room}", seen.callers + seen.present) for room, seen in self.seen.items()]

    async def look(self, room: str) -> list[Found]:
        self.looks += 1
        if room in self.unknown:
            raise api.TwirpError("deadline_exceeded", "request timed out", status=408)
        return [Found(self.seen[room], AGAIN)]

    async def probe(self, room: str, _: str, within_s: float) -> bool | None:
        self.probes += 1
        silent_s = math.inf if self.seen[room].worker in self.dead else self.slow.get(self.seen[room].worker, 0.0)
        await asyncio.sleep(min(silent_s, within_s, MOST_S))
        return silent_s <= min(within_s, MOST_S)

    async def again(self, found: Found) -> bool:
        seen = found.seen
        await asyncio.sleep(0)
        if self.seen[seen.room].dispatch != seen.dispatch:
            return False  # another one has deleted it
        self.again_s.append((seen.room, asyncio.get_running_loop().time()))
        rescues, new = seen.rescues + bool(seen.worker), f"{seen.dispatch}+"
        self.seen[seen.room] = replace(seen, dispatch=new, worker="AW_new", present=True, rescues=rescues)
        return True

    def watcher(self, *mine: str, free: bool = True) -> asyncio.Task[None]:
        jobs = {f"AD_{room}": Job(room=Room(name=room)) for room in mine}
        watching = Rescuer(pinned_settings(), self, lambda: jobs, lambda: free, self.left.append)  # type: ignore[arg-type]
        return asyncio.create_task(watching.run())


def after(server: Server, seconds: float, *, watchers: int = 1, free: bool = True) -> None:
    """Watch for so long."""

    async def scenario() -> None:
        tasks = [server.watcher(free=free) for _ in range(watchers)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()

    run_virtual(scenario())


def test_the_calls_of_a_dead_worker_are_dispatched_again_within_six_seconds() -> None:
    server = Server(dead={"AW_dead"})
    for number in range(8):
        server.add(f"r{number}", "AW_dead" if number < 5 else "AW_lives")
    after(server, 20)
    assert {room for room, _ in server.again_s} == {f"r{number}" for number in range(5)}
    assert max(at_s for _, at_s in server.again_s) < 6


def test_a_room_of_which_nothing_is_known_does_not_keep_others_from_being_watched() -> None:
    server = Server(dead={"AW_dead"}, unknown={"bad"})
    for room in ("bad", "r", "s"):
        server.add(room, "AW_dead")

    async def scenario() -> None:
        task = server.watcher()
        await asyncio.sleep(20)
        assert {room for room, _ in server.again_s} == {"r", "s"}
        server.unknown.clear()
        await asyncio.sleep(20)
        task.cancel()

    run_virtual(scenario())
    assert [room for room, _ in server.again_s][2:] == ["bad"]
    assert max(at_s for _, at_s in server.again_s[:2]) < 7


def test_nothing_is_decided_of_a_room_by_what_was_there_before() -> None:
    server = Server()
    server.add("back", "AW_1")
    server.add("other", "AW_1")

    async def scenario() -> None:
        task = server.watcher()
        await asyncio.sleep(2)
        server.change("back", present=False)
        await asyncio.sleep(2)
        server.unknown.add("back")
        server.change("back", present=True)
        await asyncio.sleep(20)
        task.cancel()

    run_virtual(scenario())
    assert server.again_s == []


def test_two_who_watch_dispatch_each_call_once() -> None:
    server = Server(dead={"AW_dead"})
    for number in range(5):
        server.add(f"r{number}", "AW_dead")
    after(server, 20, watchers=3)
    assert sorted(room for room, _ in server.again_s) == [f"r{number}" for number in range(5)]


def test_a_worker_that_is_silent_for_three_seconds_keeps_its_calls() -> None:
    server = Server(dead={"AW_slow"})
    server.add("r", "AW_slow")

    async def scenario() -> None:
        task = server.watcher()
        for _ in range(3):
            await asyncio.sleep(3)
            server.dead.clear()
            await asyncio.sleep(3)
            server.dead.add("AW_slow")
        server.dead.clear()
        await asyncio.sleep(10)
        task.cancel()

    run_virtual(scenario())
    assert server.again_s == []


def test_a_worker_that_answers_late_each_time_keeps_its_calls() -> None:
    server = Server(slow={"AW_slow": 1.9})
    server.add("r", "AW_slow")
    server.add("mine", "AW_me")

    async def scenario() -> None:
        task = server.watcher("mine")
        await asyncio.sleep(30)
        server.dead.add("AW_slow")
        await asyncio.sleep(8)
        task.cancel()

    run_virtual(scenario())
    assert [room for room, at_s in server.again_s if at_s > 30] == ["r"]
    assert len(server.again_s) == 1


def test_where_the_watching_workers_own_bot_is_silent_too_nobody_is_dead() -> None:
    server = Server(dead={"AW_slow", "AW_me"})  # the server, or the machine, is overloaded
    server.add("r", "AW_slow")
    server.add("mine", "AW_me")

    async def scenario() -> None:
        task = server.watcher("mine")
        await asyncio.sleep(30)
        assert server.again_s == []
        server.dead = {"AW_slow"}
        await asyncio.sleep(8)
        task.cancel()

    run_virtual(scenario())
    assert [room for room, _ in server.again_s] == ["r"]


def test_a_worker_without_room_leaves_the_calls_of_a_dead_one_to_others() -> None:
    server = Server(dead={"AW_dead"})
    server.add("r", "AW_dead")
    after(server, 30, free=False)
    assert server.again_s == []
    after(server, 30, free=True)
    assert len(server.again_s) == 1


def test_a_bot_that_comes_back_keeps_its_call_and_one_that_does_not_loses_it() -> None:
    server = Server()
    server.add("back", "AW_1")
    server.add("gone", "AW_1")
    server.add("mine", "AW_me")

    async def scenario() -> None:
        task = server.watcher("mine")
        await asyncio.sleep(2)
        for room in server.seen:
            server.change(room, present=False)
        await asyncio.sleep(2)
        server.change("back", present=True)
        await asyncio.sleep(20)
        task.cancel()

    run_virtual(scenario())
    assert [room for room, _ in server.again_s] == ["gone"]
    assert 5 <= server.again_s[0][1] <= 8


def test_a_call_that_ends_each_worker_is_given_up() -> None:
    server = Server()
    server.add("r", "AW_1")

    async def scenario() -> None:
        task = server.watcher()
        for _ in range(60):
            server.change("r", present=False)
            await asyncio.sleep(2)
        task.cancel()

    run_virtual(scenario())
    assert len(server.again_s) == MOST
    first, second, third = (at_s for _, at_s in server.again_s)
    assert second - first >= 8
    assert third - second >= 18


def test_a_call_that_nobody_had_room_for_waits_until_there_is() -> None:
    waiting = Seen("r", "AD_r", callers=1)
    full, free = Server({"r": waiting}), Server({"r": waiting})
    after(full, 30, free=False)
    after(free, 30, free=True)
    assert full.again_s == []
    assert len(free.again_s) == 1
    assert free.seen["r"].rescues == 0  # that was no rescue


def test_a_bot_that_was_cut_off_leaves_when_its_call_was_given_to_another() -> None:
    server = Server()
    server.add("mine", "AW_me")

    async def scenario() -> None:
        task = server.watcher("mine")
        await asyncio.sleep(10)
        assert server.left == []
        server.down = True
        await asyncio.sleep(10)
        server.change("mine", dispatch="AD_other", worker="AW_other")
        server.down = False
        await asyncio.sleep(2)
        task.cancel()

    run_virtual(scenario())
    assert {job.room.name for job in server.left} == {"mine"}
    assert server.again_s == []


def test_a_bot_that_has_just_come_stays_though_the_server_was_asked_before() -> None:
    server = Server()
    server.add("r", "AW_dead")
    jobs: dict[str, Job] = {}

    async def look(room: str) -> list[Found]:
        found = [Found(server.seen[room], AGAIN)]  # as the room was when the question came,
        server.change("r", dispatch="AD_new", worker="AW_me")
        jobs["AD_new"] = Job(room=Room(name="r"))  # and before the answer is there, this worker has the call
        return found

    async def scenario() -> None:
        server.look = look  # type: ignore[method-assign]
        watching = Rescuer(pinned_settings(), server, lambda: jobs, lambda: True, server.left.append)  # type: ignore[arg-type]
        task = asyncio.create_task(watching.run())
        await asyncio.sleep(10)
        task.cancel()

    run_virtual(scenario())
    assert server.left == []


def test_that_a_call_was_given_away_is_said_once() -> None:
    server = Server()
    server.add("mine", "AW_me")

    async def scenario() -> None:
        task = server.watcher("mine")
        await asyncio.sleep(3)
        server.change("mine", dispatch="AD_other", worker="AW_other")
        await asyncio.sleep(30)
        task.cancel()

    run_virtual(scenario())
    assert len(server.left) == 1


def test_an_answer_that_nobody_expects_does_not_end_the_watch() -> None:
    server = Server(broken=True, dead={"AW_dead"})
    server.add("r", "AW_dead")

    async def scenario() -> None:
        task = server.watcher()
        await asyncio.sleep(5)
        server.broken = False
        await asyncio.sleep(10)
        task.cancel()

    run_virtual(scenario())
    assert len(server.again_s) == 1


def test_a_server_that_does_not_answer_ends_nothing() -> None:
    server = Server(down=True, dead={"AW_dead"})
    server.add("r", "AW_dead")

    async def scenario() -> None:
        task = server.watcher()
        await asyncio.sleep(30)
        assert server.again_s == []
        server.down = False
        await asyncio.sleep(10)
        task.cancel()

    run_virtual(scenario())
    assert len(server.again_s) == 1


def test_what_it_asks_the_server_does_not_grow_with_the_rooms() -> None:
    server = Server()
    for number in range(200):
        server.add(f"r{number}", f"AW_{number % 4}")
    rounds = 50
    after(server, rounds * POLL_S)
    assert server.probes <= 4 * (rounds + 1)
    assert server.looks <= 200 + 5 * (rounds + 1)


def test_the_watching_workers_own_bot_is_asked_only_where_another_is_silent() -> None:
    server = Server()
    server.add("r", "AW_lives")
    server.add("mine", "AW_me")
    rounds = 50

    async def scenario() -> None:
        task = server.watcher("mine")
        await asyncio.sleep(rounds * POLL_S)
        task.cancel()

    run_virtual(scenario())
    assert rounds - 2 <= server.probes <= rounds + 1
