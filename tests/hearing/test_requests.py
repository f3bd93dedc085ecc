"""Requests of the orchestrator: timelines of speech and replies, and when each is met."""

from __future__ import annotations

import pytest

from webapi.voice_node.hearing import turn_reducer
from webapi.voice_node.hearing.requests import HangUpRequest, Request, SayRequest, is_due
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.turn_state import TurnState

SAY, HANG_UP = SayRequest("s-say-0000"), HangUpRequest("goodbye")


@pytest.mark.parametrize(
    ("request_", "speech", "reply", "due"),
    [
        (SAY, "-----", "-----", "^----"),
        (SAY, "SSS--", "-----", "---^-"),
        (SAY, "-----", "RR---", "--^--"),
        (SAY, "SS---", "--RR-", "----^"),
        (HANG_UP, "-----", "RR---", "--^--"),
        (HANG_UP, "SSS--", "-----", "^----"),  # not for the caller
    ],
)
def test_it_is_met_when_it_can_be(request_: Request, speech: str, reply: str, due: str) -> None:
    met = [is_due(request_, s == "S", r == "R") for s, r in zip(speech, reply, strict=True)]
    assert met.index(True) == due.index("^")


def test_it_waits_through_the_frames_of_an_utterance() -> None:
    rule = TurnRule(start_frames=2, end_frames=3, preroll_frames=4, max_frames=100)
    state = turn_reducer.request(TurnState(), SAY)
    for number, voiced in enumerate([False, True, False, True, True, False, True, False, False, False, False]):
        state, _ = turn_reducer.frame(state, voiced, number, number * 20_000, rule)
        assert state.requests == (SAY,)
