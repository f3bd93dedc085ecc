"""Requests of the orchestrator: when the bot may begin a turn of its own, and when it hangs up. Pure.

    speech     --SSSSSS-------------------------
    reply      ---------RRRRRR-----RRRRR--------
    requests   ----s-----------------h----------     s say, h hang up
    decides    ---------------s---------h-------

They wait in one row. A turn to say begins when the caller does not speak and no reply is pending. Hanging up waits for
a pending reply and not for the caller: the bot has said that it goes.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class SayRequest(NamedTuple):
    """The bot is to begin a turn."""

    trace_id: str


class HangUpRequest(NamedTuple):
    """The bot is to hang up."""

    reason: str


Request: TypeAlias = SayRequest | HangUpRequest


def is_due(request: Request, speaking: bool, replying: bool) -> bool:
    """Whether the first request of the row can be met now. `replying`: a reply is pending."""
    return not replying and not (speaking and isinstance(request, SayRequest))
