"""Decides which calls are to be dispatched once more: a pure function of what is seen in the rooms.

LiveKit's open-source server dispatches a call once. Where no worker had room for it, or the worker that had it died,
the caller waits for ever. So each worker looks at the rooms, and dispatches such a call again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

MOST = 3  # rescues of one call: a call that ends each worker that takes it must not end them all
PAUSES_S = (0.0, 5.0, 15.0)  # before the first, second and third rescue of a call
ANSWER_S = 8.0  # for the server to find a worker, and to say so: nodes of a cluster say it 5 s after that
RETURN_S = 3.0  # for a bot that has lost its connection to come back


class State(Enum):
    """How it is with the dispatch of a call."""

    SERVED = "served"
    EMPTY = "nobody is there who could be served"
    DECLINED = "its metadata can't be served"
    HOPELESS = "it was rescued too often"
    TAKEN = "its bot is there, and the server does not say yet whose that is"
    UNANSWERED = "no worker has taken it"
    GONE = "its bot has left or never came"
    DEAD = "its bot's process does not answer"


@dataclass(frozen=True)
class Seen:
    """A dispatch, and who is in its room."""

    room: str
    dispatch: str  # its id
    worker: str = ""  # LiveKit's id of the worker that took it; "" for none
    identity: str = ""  # of its bot
    present: bool = False  # the bot is in the room
    declined: bool = False
    callers: int = 0
    rescues: int = 0  # how often it was dispatched again


def state_of(seen: Seen, mine: Collection[str], dead: Collection[str]) -> State:
    """How it is with a dispatch. `mine`: the dispatches that this worker serves; `dead`: workers that do not answer."""
    if seen.dispatch in mine:
        return State.SERVED
    if seen.callers == 0:
        return State.EMPTY
    if seen.declined:
        return State.DECLINED
    if not seen.worker:
        return State.TAKEN if seen.present else State.UNANSWERED
    lost = State.GONE if not seen.present else State.DEAD if seen.worker in dead else State.SERVED
    return State.HOPELESS if lost is not State.SERVED and seen.rescues >= MOST else lost


def is_due(state: State, rescues: int, waited_s: float, *, free: bool) -> bool:
    """Whether a call that has been in `state` for so long is to be dispatched again now.

    `free`: there is room here. A worker that is full or drains leaves it to the others: it can't take the call itself.
    """
    if not free:
        return False
    if state is State.UNANSWERED:
        return waited_s >= ANSWER_S
    if state is State.GONE:
        return waited_s >= RETURN_S + PAUSES_S[rescues]
    return state is State.DEAD and waited_s >= PAUSES_S[rescues]


def is_settled(state: State) -> bool:
    """Whether nothing is to be done until something changes in the room."""
    return state in (State.SERVED, State.EMPTY, State.DECLINED, State.HOPELESS)
