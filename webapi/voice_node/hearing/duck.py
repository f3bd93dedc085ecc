"""Duck: the volume of a reply while a voice is over it. Pure.

    voice    ------1111-----------------111111111111--     barge_in: duck
    volume   ▇▇▇▇▇▇▇▇▇▂▂▂▂▂▂▂▂▂▂▂▇▇▇▇▇▇▇▇▇▇▂▂▂▂▂▂▂×
    decides  ---------D---------L---------D------B---      D ducked, L loud again (restored), B interrupted

The reply becomes soft with less evidence than a stop needs, as a fall for nothing costs little: `frames` voiced frames
in a row, the last with a probability of FALLS or more; or MORE frames than that of a sound that stands out
(loudness.py), because a quiet voice is found late by any detector. A sound that was no voice is learnt, and must be
louder the next time.

The reply is loud again `hold_frames` after the voice, or after `longest_frames` in which no utterance begins; then it
stays loud until that voice pauses. While it is soft, an utterance also begins with `likely_frames` of a probable voice,
in a row or not. Whether the voice is a turn is decided in turn_or_not.py.
"""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.events import is_bot
from webapi.voice_node.hearing.loudness import CLEAR_DB
from webapi.voice_node.hearing.onset import WITH_ECHO, Onset
from webapi.voice_node.hearing.turn_rule import DuckRule

FALLS = 0.6  # least probability
MORE = 1  # frames
ANOTHER_DB = 10  # louder than all before it: another voice, whose evidence counts anew


class Duck(NamedTuple):
    """The voice over a reply since that became soft."""

    first_frame: int  # number of its first frame
    first_us: int  # arrival of that
    frames: int = 0  # since the reply became soft, while no utterance is open
    quiet: int = 0  # without a voice, in a row
    likely: int = 0  # of a probable voice
    loudest_db: int = 0
    loud: bool = False  # the reply is loud again while the voice goes on


class Sound(NamedTuple):
    """A frame over a reply, with what came before it."""

    number: int
    voice: bool  # it counts as voiced
    run: int  # voiced frames in a row up to it
    outstanding: int  # frames in a row up to it that stand out (loudness.py)
    first_frame: int  # number of the first one of that, whichever is longer
    first_us: int  # arrival of that
    probability: float | None
    echo_left: float | None  # as events.Frame has it
    level: int | None  # dB


def falls(s: Sound, rule: DuckRule) -> bool:
    """Whether the sound makes a reply soft."""
    if is_bot(s.echo_left):
        return False
    frames, least = rule.frames, FALLS
    if s.echo_left:
        frames += round((WITH_ECHO - 1) * frames * s.echo_left)
        least += (1 - least) * s.echo_left
    elif s.outstanding >= frames + MORE:
        return True
    return s.run >= frames and (s.probability is None or s.probability >= least)


def begin(s: Sound) -> Duck:
    """The reply becomes soft with this frame."""
    likely = s.run if s.probability is None else _likely(s)
    return Duck(s.first_frame, s.first_us, likely=likely, loudest_db=s.level or 0)


def frame(duck: Duck, s: Sound, speaking: bool, rule: DuckRule) -> Duck | None:
    """One frame later. `speaking`: an utterance is open. None: the reply is loud, and no voice is over it."""
    first_frame, first_us, frames, quiet, likely, loudest_db, loud = duck
    quiet = 0 if s.voice or s.outstanding else quiet + 1
    if quiet >= rule.hold_frames:
        return None
    frames = 0 if speaking else frames + 1
    if s.level is not None and s.level > loudest_db:
        if s.level >= loudest_db + ANOTHER_DB:
            first_frame, likely = s.number, 0
        loudest_db = s.level
    loud = loud or frames >= rule.longest_frames
    return Duck(first_frame, first_us, frames, quiet, likely + _likely(s), loudest_db, loud)


def _likely(s: Sound) -> bool:
    return s.voice if s.probability is None else s.probability >= FALLS


def is_voice(duck: Duck, above_db: int, rule: DuckRule) -> bool:
    """Whether an utterance begins. `above_db`: how far it is above the background at its loudest."""
    return duck.likely >= rule.likely_frames and above_db >= CLEAR_DB


def onset(duck: Duck, number: int) -> Onset:
    """The onset of an utterance that begins with frame `number`, because a voice was likely for long enough."""
    return Onset(number + 1 - duck.first_frame, duck.first_us, duck.first_frame)
