"""Which calls are dispatched again, as a function of what is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from webapi.voice_node.node.worker.rescue import ANSWER_S, MOST, RETURN_S, Seen, State, is_due, is_settled, state_of

SERVED = Seen("room", "AD_1", worker="AW_1", identity="ingobot", present=True, callers=1)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (SERVED, State.SERVED),
        (replace(SERVED, callers=0, present=False), State.EMPTY),
        (replace(SERVED, present=False), State.GONE),
        (replace(SERVED, present=False, rescues=MOST), State.HOPELESS),
        (replace(SERVED, rescues=MOST), State.SERVED),
        (replace(SERVED, worker="", identity="", present=False), State.UNANSWERED),
        (replace(SERVED, worker="", identity="", present=False, rescues=MOST), State.UNANSWERED),
        (replace(SERVED, worker="", identity=""), State.TAKEN),
        (replace(SERVED, identity="", present=False, declined=True), State.DECLINED),
        (replace(SERVED, worker="AW_dead"), State.DEAD),
        (replace(SERVED, worker="AW_dead", present=False), State.GONE),
        (replace(SERVED, worker="AW_dead", rescues=MOST), State.HOPELESS),
        (replace(SERVED, worker="AW_dead", callers=0), State.EMPTY),
        (replace(SERVED, dispatch="AD_mine", present=False), State.SERVED),  # it is joining, or joins again
        (replace(SERVED, dispatch="AD_mine", worker="AW_dead"), State.SERVED),
    ],
)
def test_how_it_is_with_a_dispatch(seen: Seen, state: State) -> None:
    assert state_of(seen, {"AD_mine"}, {"AW_dead"}) is state


@pytest.mark.parametrize("state", list(State))
def test_only_calls_that_nobody_serves_are_due(state: State) -> None:
    due = is_due(state, 0, 3600, free=True)
    assert due == (state in (State.UNANSWERED, State.GONE, State.DEAD))
    assert is_settled(state) == (not due and state is not State.TAKEN)  # whose bot that is will be told later


def test_each_state_waits_as_long_as_it_must() -> None:
    assert is_due(State.DEAD, 0, 0, free=True)
    assert not is_due(State.GONE, 0, RETURN_S - 0.01, free=True)
    assert is_due(State.GONE, 0, RETURN_S, free=True)
    assert not is_due(State.UNANSWERED, 0, ANSWER_S - 0.01, free=True)
    assert is_due(State.UNANSWERED, 0, ANSWER_S, free=True)


@pytest.mark.parametrize("state", list(State))
def test_a_worker_without_room_dispatches_nothing(state: State) -> None:
    assert not is_due(state, 0, 3600, free=False)


def test_a_call_that_ends_its_worker_waits_longer_each_time() -> None:
    waits = [next(s for s in range(100) if is_due(State.GONE, rescues, s, free=True)) for rescues in range(MOST)]
    assert waits == [3, 8, 18]
