"""What the orchestrator asks for of its own accord: the bot shall say something, or hang up."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

SAY = "call.say"  # the `prompt` of a Prompted turn that the orchestrator has asked for


class SayAsked(NamedTuple):
    """The bot shall begin a turn. It waits while the caller speaks, and until the replies before it are over."""

    t_us: int
    trace_id: str  # of the turn that it will be


class HangUpAsked(NamedTuple):
    """The bot shall hang up, when the replies before it are over."""

    t_us: int
    reason: str  # for people


Asked: TypeAlias = SayAsked | HangUpAsked
