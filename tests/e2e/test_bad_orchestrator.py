"""An orchestrator whose hook raises what is no Exception, in a real room: the call goes on unharmed."""

from __future__ import annotations

import pytest

from tests.e2e.caller import Caller
from tests.e2e.node import Node
from tests.e2e.rooms import caller, run
from tests.reply.bad_orchestrators import Fine, cancelled_future
from tests.speech import silence, vowel

pytestmark = pytest.mark.e2e


class CancelledAtBargeIn(Fine):
    """Its stop_playback raises CancelledError, as `task.result()` of a cancelled task does."""

    def stop_playback(self, trace_id: str) -> None:
        super().stop_playback(trace_id)
        cancelled_future()


async def speak_until_answered(alice: Caller, trace_ids: list[str]) -> None:
    """Say something; the bot is heard in a turn that is not among `trace_ids`."""
    told = len(alice.events)
    await alice.say(vowel(0.6) + silence(0.5))
    started = await alice.wait_for_event("playback_started", after=told)
    assert started["trace_id"] not in trace_ids
    trace_ids.append(started["trace_id"])


def test_a_hook_that_raises_cancelled_error_at_a_barge_in_leaves_the_caller_heard(livekit_url: str, room: str) -> None:
    async def scenario() -> None:
        made = "tests.e2e.test_bad_orchestrator:CancelledAtBargeIn"
        async with Node(livekit_url, room, orchestrator=made) as node, caller(livekit_url, room) as alice:
            await alice.wait_for_event("listening_to", identity="alice")
            trace_ids: list[str] = []
            await speak_until_answered(alice, trace_ids)
            await alice.say(vowel(0.6) + silence(0.5), wait=False)  # over the reply of two seconds
            await alice.wait_for_event("barge_in", trace_id=trace_ids[0])
            failed = await alice.wait_for_event("hook_failed")
            assert (failed["hook"], failed["detail"]) == ("stop_playback", "CancelledError: cancelled from inside")
            await alice.wait_for_event("turn", trace_id=trace_ids[0])
            for _ in range(3):
                await alice.wait_for_silence(0.5)
                await speak_until_answered(alice, trace_ids)
            assert not node.logged("session_broke")
            assert not node.logged("hear_failed")
            assert [line["level"] for line in node.logged("hook_failed")][:1] == ["WARNING"]

    run(scenario())
