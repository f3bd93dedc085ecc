"""Endpoint: when an utterance ends. Pure.

    voice    111111--11----------      M = 10
    unvoiced 00000012001234567890
    ends     -------------------^

An utterance ends after M unvoiced frames in a row: with a probability, a frame below END is unvoiced whatever the
detector's flag says, so that noise can't keep an utterance open. Without one, an utterance that was voiced for
`steady_frames` without a single unvoiced frame is noise, and ends. No utterance has more than `max_frames`.

With `patience_frames`, M grows with the caller's own pauses (pause_estimator.py).
"""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.hearing import pause_estimator
from webapi.voice_node.hearing.onset import Onset
from webapi.voice_node.hearing.pause_estimator import PauseEstimate
from webapi.voice_node.hearing.turn_rule import TurnRule
from webapi.voice_node.hearing.utterance import Utterance

END = 0.6  # probability


class Endpoint(NamedTuple):
    """The silence up to now, and the caller's usual pauses."""

    unvoiced: int = 0  # frames in a row
    flagged: int = 0  # how many of these the detector still called voiced
    pauses: PauseEstimate | None = None  # None: no pause was learnt yet


class End(NamedTuple):
    """An utterance is over."""

    reason: str  # "silence"; "noise": only noise kept it open; "too_long"
    pause_needed: int  # unvoiced frames in a row that must come before the next utterance


def frame(s: Endpoint, voice: bool, flag: bool, rule: TurnRule) -> Endpoint:
    """One frame of an utterance later. `voice`: it counts as voiced; `flag`: the detector alone says so."""
    if not voice:
        return Endpoint(s.unvoiced + 1, s.flagged + flag, s.pauses)
    if not s.unvoiced:
        return s
    long = 2 * s.unvoiced >= rule.end_frames  # shorter ones are gaps between words
    return learn_pause(s, s.unvoiced, rule)._replace(unvoiced=0, flagged=0) if long else Endpoint(pauses=s.pauses)


def learn_pause(s: Endpoint, frames: int, rule: TurnRule) -> Endpoint:
    """The caller paused for so many frames and went on."""
    return s._replace(pauses=pause_estimator.update(s.pauses, frames)) if rule.patience_frames else s


def hold(s: Endpoint, rule: TurnRule) -> int:
    """How many unvoiced frames in a row end an utterance now."""
    if s.pauses is None:
        return rule.end_frames
    return max(rule.end_frames, min(s.pauses.hold, rule.patience_frames))


def ends(s: Endpoint, utterance: Utterance, onset: Onset, number: int, sure: bool, rule: TurnRule) -> End | None:
    """Whether the utterance ends with frame `number`. `sure`: the detector gives a probability."""
    if s.unvoiced >= hold(s, rule):
        return End("noise" if s.flagged == s.unvoiced else "silence", pause_needed=0)
    if not sure and onset.run >= rule.steady_frames:
        return End("noise", pause_needed=1)
    if number + 1 - utterance.first_frame >= rule.max_frames:
        return End("too_long", pause_needed=rule.end_frames)
    return None
