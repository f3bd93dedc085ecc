"""Endpoint: when an utterance ends. Pure.

    voice    111111--11----------      M = 10
    unvoiced 00000012001234567890
    ends     -------------------^

An utterance ends after M unvoiced frames in a row: with a probability, a frame below END is unvoiced whatever the
detector's flag says, so that noise can't keep an utterance open. Without one, an utterance that was voiced for
`steady_frames` without a single unvoiced frame is noise, and ends. No utterance has more than `max_frames`.

M is `end_frames`, or `hold_frames` where that is more. With `patience_frames`, it grows with the caller's own pauses
(pause_estimator.py). Where the probability is known that the caller is done, it follows from that alone: see `hold`.
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


def is_voice(flag: bool, probability: float | None) -> bool:
    """Whether a frame of an utterance counts as voiced: by its probability, where the detector gives one."""
    return flag if probability is None else probability >= END


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


def hold(s: Endpoint, done: float | None, rule: TurnRule) -> int:
    """Unvoiced frames that end the utterance. `done`: the probability that the caller is done; None: not known.

    With a probability, and a `longest_hold_frames`: end_frames from `done_at` on, longest_hold_frames up to `open_at`,
    and on the straight line between them in between, rounded to whole frames.
    """
    if done is not None and rule.longest_hold_frames:
        doubt = min(1.0, max(0.0, (rule.done_at - done) / (rule.done_at - rule.open_at)))
        return rule.end_frames + round(doubt * max(0, rule.longest_hold_frames - rule.end_frames))
    usual = max(rule.end_frames, rule.hold_frames)
    return usual if s.pauses is None else max(usual, min(s.pauses.hold, rule.patience_frames))


def ends(
    s: Endpoint,
    utterance: Utterance,
    onset: Onset,
    number: int,
    sure: bool,
    rule: TurnRule,
    done: float | None = None,
) -> End | None:
    """Whether it ends with frame `number`. `sure`: the detector gives a probability. `done`: as of `hold`."""
    if s.unvoiced >= hold(s, done, rule):
        return End("noise" if s.flagged == s.unvoiced else "silence", pause_needed=0)
    if not sure and onset.run >= rule.steady_frames:
        return End("noise", pause_needed=1)
    if number + 1 - utterance.first_frame >= rule.max_frames:
        return End("too_long", pause_needed=rule.end_frames)
    return None
