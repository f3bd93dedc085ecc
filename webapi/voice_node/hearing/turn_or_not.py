"""Whether a voice over a soft reply is a turn, or only a backchannel or a cough. Pure: a rule with its evidence.

    level    backchannel  ▂▇▇▆▅▃▁            it falls from its loudest on
             turn         ▂▇▇▆▇▅▇▇▆▇         it goes on as loud

    words    where a recogniser gives them, they decide: other words than backchannels are a turn at once,
             backchannels alone must be PATIENT times as long as `turn_frames`
    level    after `goes_on_frames`, a frame within GOES_ON_DB of the loudest is a turn, if a voice was probable in half
             of the time: two coughs are none
    length   a voice of `turn_frames` is a turn
    usual    a voice SOFTER_DB below the caller's usual level is judged by its length alone, LONGER times as long

docs/barge-in.md has the figures.
"""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.hearing.backchannels import only_backchannels
from webapi.voice_node.hearing.turn_rule import DuckRule

GOES_ON_DB = 4
SOFTER_DB = 6
LONGER, MUCH_LONGER = 1.5, 4
PATIENT = 3


class Evidence(NamedTuple):
    """What is known of a voice over a reply so far."""

    voiced: int  # frames
    since: int = 0  # frames since it began
    likely: int = 0  # of these, frames in which a voice is probable
    fallen_db: int | None = None  # how far this frame is below the loudest one; None: levels are not known
    softer_db: int = 0  # than the caller's usual level; 0 where that is not known
    behind: bool = False  # it hardly stands out in a quiet room: perhaps of somebody behind the caller
    words: str = ""  # of the caller, as far as a recogniser has told them


def is_turn(evidence: Evidence, rule: DuckRule) -> bool:
    """Whether the evidence is enough to interrupt the reply."""
    voiced, since, likely, fallen_db, softer_db, behind, words = evidence
    if words:
        return not only_backchannels(words, rule.language) or voiced >= PATIENT * rule.turn_frames
    if behind or softer_db >= SOFTER_DB:
        return voiced >= (MUCH_LONGER if behind else LONGER) * rule.turn_frames
    goes_on = fallen_db is not None and fallen_db <= GOES_ON_DB and since >= rule.goes_on_frames
    return (goes_on and 2 * likely >= since) or voiced >= rule.turn_frames
