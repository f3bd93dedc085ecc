"""What the orchestrator asks for of its own accord: the bot shall say something, hang up, or wait longer."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Expected: TypeAlias = Literal["", "digits", "email"]
SAY = "call.say"  # the `prompt` of a Prompted turn that the orchestrator has asked for


class SayAsked(NamedTuple):
    """The bot shall begin a turn. It waits while the caller speaks, and until the replies before it are over."""

    t_us: int
    trace_id: str  # of the turn that it will be


class HangUpAsked(NamedTuple):
    """The bot shall hang up, when the replies before it are over."""

    t_us: int
    reason: str  # for people


class ExpectsAsked(NamedTuple):
    """The caller is to be given more time, as long as nothing else is asked: they say digits, or an e-mail address."""

    t_us: int
    what: Expected


Asked: TypeAlias = SayAsked | HangUpAsked | ExpectsAsked
