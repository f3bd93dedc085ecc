"""What the server's answer says of a dispatch, and the request that makes the same one again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.protocol.agent import JS_RUNNING, JS_SUCCESS, Job, JobState
from livekit.protocol.agent_dispatch import AgentDispatch, AgentDispatchState
from livekit.protocol.models import ParticipantInfo

from webapi.voice_node.clock.virtual_time import run_virtual
from webapi.voice_node.config import pinned_settings
from webapi.voice_node.node.worker.dispatches import AGENT_NAME, LAST_S, RESCUES, Dispatches, found
from webapi.voice_node.node.worker.rescue import MOST, Seen
from webapi.voice_node.room import who_is_heard

ALICE = ParticipantInfo(identity="alice")
PHONE = ParticipantInfo(identity="+49 30", kind=ParticipantInfo.SIP)
BOT = ParticipantInfo(identity="ingobot", kind=ParticipantInfo.AGENT)
RECORDER = ParticipantInfo(identity="egress", kind=ParticipantInfo.EGRESS)


def dispatch(*states: JobState, **attributes: str) -> AgentDispatch:
    jobs = [Job(id=f"AJ_{number}", state=state) for number, state in enumerate(states)]
    state = AgentDispatchState(jobs=jobs)
    return AgentDispatch(id="AD", agent_name="bot", room="r", metadata="m", state=state, attributes=attributes)


TAKEN = JobState(status=JS_RUNNING, worker_id="AW", participant_identity="ingobot")


def test_a_call_that_is_served() -> None:
    seen = found(dispatch(TAKEN), [ALICE, PHONE, BOT, RECORDER]).seen
    assert seen == Seen("r", "AD", "AW", "ingobot", present=True, callers=2)


@pytest.mark.parametrize("kind", ParticipantInfo.Kind.values())
def test_those_count_as_callers_whom_a_bot_hears_in_the_room(kind: Any) -> None:
    heard = ParticipantInfo.Kind.Name(kind).lower() in who_is_heard.CALLERS
    assert found(dispatch(TAKEN), [ParticipantInfo(identity="x", kind=kind)]).seen.callers == heard


def test_a_call_whose_bot_is_gone() -> None:
    assert not found(dispatch(TAKEN), [ALICE]).seen.present


def test_a_call_that_no_worker_took() -> None:
    assert found(dispatch(), [ALICE]).seen == Seen("r", "AD", callers=1)


def test_a_call_whose_bot_is_there_before_the_server_says_whose_it_is() -> None:
    bot = ParticipantInfo(identity="ingobot", kind=ParticipantInfo.AGENT, attributes={AGENT_NAME: "bot"})
    other = ParticipantInfo(identity="other", kind=ParticipantInfo.AGENT, attributes={AGENT_NAME: "another"})
    assert found(dispatch(), [ALICE, bot]).seen.present
    assert not found(dispatch(), [ALICE, other]).seen.present


def test_a_call_that_a_worker_said_nobody_can_serve() -> None:
    assert found(dispatch(JobState(status=JS_SUCCESS, worker_id="AW")), [ALICE]).seen.declined


def test_the_last_job_counts() -> None:
    later = JobState(status=JS_RUNNING, worker_id="AW_2", participant_identity="ingobot")
    assert found(dispatch(TAKEN, later), [ALICE]).seen.worker == "AW_2"


def test_the_same_dispatch_again_counts_its_rescues() -> None:
    again = found(dispatch(TAKEN, mine="1"), [ALICE]).again
    assert (again.agent_name, again.room, again.metadata) == ("bot", "r", "m")
    assert dict(again.attributes) == {"mine": "1", RESCUES: "1"}
    assert dict(found(dispatch(TAKEN, **{RESCUES: "1"}), []).again.attributes) == {RESCUES: "2"}
    assert found(dispatch(TAKEN, **{RESCUES: "2"}), []).seen.rescues == 2
    assert found(dispatch(TAKEN, **{RESCUES: "many"}), []).seen.rescues == 0
    assert found(dispatch(TAKEN, **{RESCUES: "9" * 5000}), []).seen.rescues > MOST


def test_a_call_that_waited_for_room_was_not_rescued() -> None:
    assert dict(found(dispatch(), []).again.attributes) == {RESCUES: "0"}


class Service:
    """The server's side of dispatches; each request takes `takes_s`."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.done: list[str] = []

    async def delete_dispatch(self, dispatch: str, _: str) -> None:
        await asyncio.sleep(self.takes_s)
        self.done.append(f"deleted {dispatch}")

    async def create_dispatch(self, _: Any) -> None:
        await asyncio.sleep(self.takes_s)
        self.done.append("made anew")


def cancelled_after(seconds: float, service: Service) -> float:
    """Dispatch a call again, cancel that after so long, and return how long it took to end."""

    async def scenario() -> float:
        async with Dispatches(pinned_settings()) as dispatches:
            dispatches._server._agent_dispatch = service  # type: ignore[assignment]
            task = asyncio.create_task(dispatches.again(found(dispatch(TAKEN), [ALICE])))
            await asyncio.sleep(seconds)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            return asyncio.get_running_loop().time() - seconds

    return run_virtual(scenario())


def test_a_worker_that_ends_makes_the_dispatch_that_it_has_deleted() -> None:
    service = Service(0.4)
    cancelled_after(0.6, service)
    assert service.done == ["deleted AD", "made anew"]


def test_a_server_that_hangs_does_not_keep_a_worker_that_ends() -> None:
    assert cancelled_after(0.6, Service(1000)) <= LAST_S + 0.1
