"""Onset: when an utterance begins. Pure.

    voiced   --11-1111111--      N = 6
    run      0012012345670
    opens    ---------^---

An utterance begins after N voiced frames in a row. That is the same as "the last N frames of a sliding window are all
voiced", so the window is kept as a count. (A majority vote over 240 ms was measured against strict runs on 175 minutes
of speech in noise: it gains nothing.)

Where the detector also gives the probability of a voice, it has the last word: N - SOONER voiced frames open if the
probability is at least START, and N + LONGER if it was at least HELD all the time: of a single letter the detector is
often not surer. Over a reply that plays, N frames at BARGE_IN or more are needed; not where the reply becomes soft
first, and is interrupted later. Where an echo canceller works on the caller's audio, the start rule holds over a reply
too, made stricter in proportion to the echo that may be left, up to WITH_ECHO times N frames of certainty. What is
known for the bot's own voice (`echo_left` above 1) begins nothing. docs/hearing.md and docs/echo.md have the reasons
and figures.
"""

from __future__ import annotations

from typing import NamedTuple

from webapi.voice_node.events import is_bot
from webapi.voice_node.hearing.turn_rule import TurnRule

START, BARGE_IN = 0.8, 0.9  # least probabilities
HELD = 0.72  # with .65, people who talk in the background start more turns
SOONER, LONGER = 2, 4  # frames
WITH_ECHO = 3  # times N, over a reply whose echo is not cancelled at all
DIGITS = 4  # of the probabilities in a Margin


class Onset(NamedTuple):
    """The run of voiced frames up to now."""

    run: int = 0  # its length, frames
    first_us: int = 0  # arrival of its first frame
    first_frame: int = 0  # number of its first frame
    pause_needed: int = 0  # unvoiced frames in a row that must come before the next run begins; 0: none
    pause: int = 0  # how many of these have come
    held: int = 0  # its last frames in a row whose probability was HELD or more


NO_RUN = Onset()


def frame(
    s: Onset, voiced: bool, doubted: bool, number: int, t_us: int, rule: TurnRule, probability: float | None = None
) -> Onset:
    """One frame later. `doubted`: a probability is known, and is too low for a voice (endpoint.END)."""
    if s.pause_needed:
        pause = s.pause + 1 if doubted or not voiced else 0
        if pause >= s.pause_needed:
            return NO_RUN
        return s if pause == s.pause else s._replace(pause=pause)
    if not voiced:
        return NO_RUN
    held = s.held + 1 if probability is not None and probability >= HELD else 0
    if s.run == 0 or (doubted and s.run >= rule.start_frames):  # noise may be "voiced" for long: no voice began yet
        return Onset(s.run + 1, t_us, number, held=held)
    return Onset(s.run + 1, s.first_us, s.first_frame, held=held)


class Margin(NamedTuple):
    """How narrowly an utterance started: what there was, and what was needed."""

    run: int  # voiced frames in a row
    needed: int  # frames
    probability: float | None  # of a voice in the last of them; None: the detector gives none
    threshold: float | None  # the least probability


def opens(s: Onset, probability: float | None, echo_left: float | None, playing: bool, rule: TurnRule) -> bool:
    """Whether the frame just counted starts an utterance. `playing`: a reply is played; `echo_left`: as of a chunk."""
    if is_bot(echo_left):
        return False
    frames, least = _needed(s, probability, echo_left, playing, rule)
    return s.run >= frames and (probability is None or probability >= least)


def margin(s: Onset, probability: float | None, echo_left: float | None, playing: bool, rule: TurnRule) -> Margin:
    """How narrowly `opens` said yes to the same: for people, and computed only where it has."""
    frames, least = _needed(s, probability, echo_left, playing, rule)
    return margin_of(s.run, frames, probability, least)


def margin_of(run: int, needed: int, probability: float | None, least: float) -> Margin:
    """The Margin of these. Without a probability there is no threshold."""
    if probability is None:
        return Margin(run, needed, None, None)
    return Margin(run, needed, round(probability, DIGITS), round(least, DIGITS))


def _needed(
    s: Onset, probability: float | None, echo_left: float | None, playing: bool, rule: TurnRule
) -> tuple[int, float]:
    """Frames in a row, and the least probability of the last of them."""
    frames, least = rule.start_frames, BARGE_IN
    if probability is not None and (not playing or echo_left is not None or rule.duck is not None):
        frames, least = max(1, frames - SOONER), START
    if playing and echo_left is not None:
        left = min(echo_left, 1.0)
        frames += round((WITH_ECHO * rule.start_frames - frames) * left)
        least += (1 - least) * left
    longer = rule.start_frames + LONGER
    if s.held >= longer and not playing and probability is not None and probability < least:
        return longer, HELD
    return frames, least
