"""An utterance of the caller as frame numbers, without its audio. Pure."""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.hearing.turn_rule import TurnRule


class Utterance(NamedTuple):
    """What the caller says in one turn, pre-roll included. Times are arrivals in µs."""

    turn: int
    first_frame: int  # the first one that belongs to it
    first_voiced_us: int
    last_voiced_us: int
    voiced_frames: int


def carry(superseded: Utterance, utterance: Utterance, number: int, rule: TurnRule) -> Utterance:
    """The caller had only paused: the utterance at frame `number` also gets the audio of the superseded one.

        superseded  [aaaa]
        utterance            [bbbb
        carried     [aaaa....bbbb

    At most half of the longest utterance is carried, so that the rest has room for what follows.
    """
    return utterance._replace(
        first_frame=max(superseded.first_frame, number + 1 - rule.max_frames // 2),
        first_voiced_us=superseded.first_voiced_us,
        voiced_frames=superseded.voiced_frames + utterance.voiced_frames,
    )
